"""How near an image comes to its reference, as one number.

Every metric takes normalised intensities: both arrays divided by the reference's intensity scale, so that the range
of the tissue is about 1 and the peak of PSNR and the range of SSIM are 1, as in the paper.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

WINDOW_VOXELS = 11
"""Side of the Gaussian window of SSIM; with a sigma of 1.5 voxels it is that of Wang et al. 2004."""

_INSIDE = (slice(WINDOW_VOXELS // 2, -(WINDOW_VOXELS // 2)),) * 3
_SSIM: dict[str, Any] = {
    "data_range": 1.0,
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "full": True,
}


def psnr(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio with a peak of 1, in dB.

    Args:
        image: the array to judge, normalised.
        reference: the truth, of its shape.
        mask: bool, the voxels that count; None: all.
    Returns: dB; infinite where the two are equal.
    Raises:
        ValueError: if the shapes differ or the mask is empty.
    """
    one, other = _counted(image, reference, mask)
    error = float(np.mean(np.square(one - other)))
    return float("inf") if error == 0 else -10.0 * float(np.log10(error))


def nrmse(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Root mean square error over the root mean square of the reference; 0 is perfect, 1 is as bad as an empty image.

    Args:
        image: the array to judge, in any unit.
        reference: the truth, of its shape and in its unit.
        mask: bool, the voxels that count; None: all.
    Returns: at least 0; not a number where the reference is zero.
    Raises:
        ValueError: if the shapes differ or the mask is empty.
    """
    one, other = _counted(image, reference, mask)
    power = float(np.mean(np.square(other)))
    return float(np.sqrt(np.mean(np.square(one - other)) / power)) if power > 0 else float("nan")


def ssim_2d(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Structural similarity within the slices along axis 0, averaged over the slices: the paper's SSIM.

    The Gaussian window is 11 x 11 with a sigma of 1.5 voxels; places where it leaves the slice do not count.

    Args:
        image: (Z, Y, X), the array to judge, normalised.
        reference: the truth, of its shape.
        mask: bool (Z, Y, X), the voxels that count; slices without any are left out. None: all.
    Returns: -1 to 1; 1 is equal.
    Raises:
        ValueError: if the shapes differ, Y or X is below 11, or no voxel counts.
    """
    return mean_over_slices(similarity_2d(image, reference), mask)


def ssim_3d(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Structural similarity with a Gaussian window of 11 x 11 x 11 voxels (sigma 1.5), averaged over the volume.

    Places where the window leaves the volume do not count.

    Args:
        image: (Z, Y, X), the array to judge, normalised.
        reference: the truth, of its shape.
        mask: bool (Z, Y, X), the voxels that count; None: all.
    Returns: -1 to 1; 1 is equal.
    Raises:
        ValueError: if the shapes differ, a side is below 11, or no voxel counts.
    """
    return mean_over_volume(similarity_3d(image, reference), mask)


def similarity_2d(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The map of which :func:`ssim_2d` is the mean: (Z, Y, X) float32, not a number where the window does not fit."""
    _check(image, reference, None, window_axes=(1, 2))
    similarity = np.full(image.shape, np.nan, np.float32)
    for number, (one, other) in enumerate(zip(image, reference, strict=True)):
        similarity[number][_INSIDE[1:]] = structural_similarity(_float(one), _float(other), **_SSIM)[1][_INSIDE[1:]]
    return similarity


def similarity_3d(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The map of which :func:`ssim_3d` is the mean: (Z, Y, X) float32, not a number where the window does not fit."""
    _check(image, reference, None, window_axes=(0, 1, 2))
    similarity = np.full(image.shape, np.nan, np.float32)
    similarity[_INSIDE] = structural_similarity(_float(image), _float(reference), **_SSIM)[1][_INSIDE]
    return similarity


def mean_over_slices(similarity: np.ndarray, mask: np.ndarray | None = None) -> float:
    """The mean over slices of the mean in each, of a map that holds no number where nothing counts.

    Raises:
        ValueError: if the shapes differ or no voxel counts.
    """
    counts = _counted_places(similarity, mask)
    means = [
        part[counted].mean(dtype=np.float64) for part, counted in zip(similarity, counts, strict=True) if counted.any()
    ]
    return float(np.mean(means))


def mean_over_volume(similarity: np.ndarray, mask: np.ndarray | None = None) -> float:
    """The mean of a map that holds no number where nothing counts.

    Raises:
        ValueError: if the shapes differ or no voxel counts.
    """
    return float(similarity[_counted_places(similarity, mask)].mean(dtype=np.float64))


def _counted_places(similarity: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Where a map holds a number and the mask says that it counts."""
    _check(similarity, similarity, mask)
    counts = ~np.isnan(similarity)
    if mask is not None:
        counts &= mask
    if not counts.any():
        raise ValueError("no voxel of the mask lies where the window of SSIM fits")
    return counts


def _counted(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The voxels of both that count, in double precision."""
    _check(image, reference, mask)
    if mask is None:
        return image.astype(np.float64), reference.astype(np.float64)
    return image[mask].astype(np.float64), reference[mask].astype(np.float64)


def _check(
    image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None, window_axes: tuple[int, ...] = ()
) -> None:
    """Hold the arrays to what the metrics ask of them."""
    if image.shape != reference.shape or (mask is not None and image.shape != mask.shape):
        mask_shape = None if mask is None else mask.shape
        raise ValueError(f"shapes differ: image {image.shape}, reference {reference.shape}, mask {mask_shape}")
    if image.size == 0 or (mask is not None and not mask.any()):
        raise ValueError("no voxel counts")
    if any(image.shape[axis] < WINDOW_VOXELS for axis in window_axes):
        raise ValueError(f"a shape of {image.shape} is smaller than the window of SSIM, {WINDOW_VOXELS} voxels")


def _float(voxels: np.ndarray) -> np.ndarray:
    """Single precision, which is what SSIM needs; half would not do."""
    return voxels.astype(np.float32, copy=False)
