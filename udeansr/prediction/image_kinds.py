"""An image of whatever library as a volume, and the way back. Knows the kinds of images; knows no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from nibabel.spatialimages import SpatialImage

from udeansr.image.nibabel_image import nibabel_image, nibabel_volume
from udeansr.image.sitk_image import keep_metadata, sitk_image, sitk_volume
from udeansr.image.volume import Geometry, Volume, triple

_AXES = {
    "L": (1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "R": (-1.0, 0.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "I": (0.0, 0.0, -1.0),
}


def as_volume(
    image: object, spacing_mm: Sequence[float] | None = None, orientation: str = "SPL"
) -> tuple[Volume, Callable[[Volume], Any]]:
    """An image as a volume, and what makes of another volume, made of this one, an image of the same kind.

    Args:
        image: a SimpleITK image, a nibabel image, an array (Z, Y, X), or a volume.
        spacing_mm: of an array, (Z, Y, X); all others have their own.
        orientation: three letters for (Z, Y, X) of an array, which cannot tell.
    Raises:
        ValueError: if the image is of another kind or of neither integers nor floats, an array is not 3-D, or its
            spacing is missing or no spacing.
        UdeansrError: if it is not one 3-D scalar image, or its axes are not orthonormal.
    """
    if isinstance(image, np.ndarray):
        return _of_numbers(_array_volume(image, spacing_mm, orientation)), lambda made: made.voxels
    if spacing_mm is not None:
        raise ValueError("spacing_mm goes with an array; expected none, since the image has its own")
    if isinstance(image, sitk.Image):
        return _of_numbers(sitk_volume(image)), lambda made: _sitk_image_like(image, made)
    if isinstance(image, SpatialImage):
        return _of_numbers(nibabel_volume(image)), lambda made: nibabel_image(made, image)
    if isinstance(image, Volume):
        return _of_numbers(image), lambda made: made
    kind = f"{type(image).__module__}.{type(image).__qualname__}"
    raise ValueError(
        f"an image of type {kind}; expected a SimpleITK image, a nibabel image, or a numpy array with spacing_mm"
    )


def _sitk_image_like(image: sitk.Image, made: Volume) -> sitk.Image:
    """With its metadata."""
    wanted = sitk_image(made.voxels, made.geometry)
    keep_metadata(image, wanted)
    return wanted


def _array_volume(voxels: np.ndarray, spacing_mm: Sequence[float] | None, orientation: str) -> Volume:
    """An array as it would lie in the world, were it stored in this orientation."""
    if voxels.ndim != 3:
        raise ValueError(f"an array of {voxels.ndim} axes {voxels.shape}; expected one volume (Z, Y, X)")
    if spacing_mm is None:
        raise ValueError("an array without spacing_mm; expected its voxel size along (Z, Y, X) in mm beside it")
    numbers = np.asarray(spacing_mm, dtype=np.float64)
    if numbers.shape != (3,) or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise ValueError(f"spacing_mm {spacing_mm}; expected three positive numbers along (Z, Y, X)")
    axes = triple(_AXES[letter] for letter in orientation)
    return Volume(voxels, Geometry(triple(voxels.shape), triple(numbers.tolist()), axes=axes))


def _of_numbers(volume: Volume) -> Volume:
    """A volume, once it is found to hold numbers of a type that an image of magnitudes has."""
    if volume.voxels.dtype.kind not in "iuf" or not volume.voxels.size:
        raise ValueError(f"{volume.voxels.size} voxels of type {volume.voxels.dtype}; expected integers or floats")
    return volume
