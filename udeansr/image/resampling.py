"""Interpolation: tricubic and sinc to the HR grid, cubic B-splines onto any other grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft
import SimpleITK as sitk

from udeansr.image.grid import SPACING_TOLERANCE, Scale, respaced_geometry
from udeansr.image.sitk_image import sitk_image
from udeansr.image.volume import Geometry, Volume, triple


def tricubic(voxels: np.ndarray, scale: Scale) -> np.ndarray:
    """Cubic convolution along each axis from the LR grid to the HR grid; the field of view is kept.

    Args:
        voxels: (Z, Y, X) on the LR grid, any unit.
        scale: HR voxels in an LR voxel.
    Returns: (Z * sz, Y * sy, X * sx) float32, same unit; the end voxels are replicated beyond the ends.
    Source: R. Keys, IEEE Trans. ASSP 29(6), 1981, with a = -0.5.
    """
    fine = voxels.astype(np.float32)
    for axis, factor in enumerate(scale.zyx):
        if factor > 1:
            fine = _cubic_along(fine, factor, axis)
    return fine


def sinc(voxels: np.ndarray, scale: Scale) -> np.ndarray:
    """Zero filling of k-space from the LR grid to the HR grid; the field of view is kept.

    Args:
        voxels: (Z, Y, X) on the LR grid, any unit.
        scale: HR voxels in an LR voxel.
    Returns: (Z * sz, Y * sy, X * sx) float32, same unit, same mean.
    """
    fine = voxels.astype(np.float32)
    for axis, factor in enumerate(scale.zyx):
        if factor > 1:
            fine = _zero_fill_along(fine, factor, axis)
    return fine


def resample_onto(volume: Volume, geometry: Geometry) -> Volume:
    """A volume on another grid, by cubic B-splines; float32, 0 where the grid leaves the volume."""
    resampled = sitk.Resample(
        sitk_image(volume.voxels.astype(np.float32), volume.geometry),
        sitk_image(np.zeros(geometry.shape, dtype=np.uint8), geometry),
        sitk.Transform(),
        sitk.sitkBSpline,
        0.0,
        sitk.sitkFloat32,
    )
    return Volume(sitk.GetArrayFromImage(resampled), geometry)


def to_spacing(volume: Volume, wanted_mm: Sequence[float], axes: str = "ZYX") -> Volume:
    """A volume at another spacing, by :func:`respace`; an axis that has it within 2 % keeps its own.

    Args:
        volume: in the orientation of the spacing.
        wanted_mm: along (Z, Y, X).
        axes: those that may change.
    """
    wanted = triple(
        new if axis in axes and abs(old / new - 1) > SPACING_TOLERANCE else old
        for axis, old, new in zip("ZYX", volume.geometry.spacing_mm, wanted_mm, strict=True)
    )
    if wanted == volume.geometry.spacing_mm:
        return volume
    voxels = respace(volume.voxels, volume.geometry.spacing_mm, wanted)
    return Volume(voxels, respaced_geometry(volume.geometry, wanted))


def respace(voxels: np.ndarray, spacing_mm: Sequence[float], wanted_mm: Sequence[float]) -> np.ndarray:
    """A volume on the grid of :func:`udeansr.image.grid.respaced_geometry`, axis by axis.

    Finer voxels by cubic B-splines, coarser ones by Lanczos' windowed sinc, which cuts off what would alias and leaves
    the rest. Beyond the ends the last voxel goes on.

    Args:
        voxels: (Z, Y, X), any unit.
        spacing_mm: along (Z, Y, X).
        wanted_mm: along (Z, Y, X).
    Returns: float32, same unit.
    """
    image = voxels.astype(np.float32, copy=False)
    for axis, (old, new) in enumerate(zip(spacing_mm, wanted_mm, strict=True)):
        if old != new:
            weights = respacing_weights(image.shape[axis], new / old)
            image = np.moveaxis(np.tensordot(weights, image, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(image)


def respacing_weights(size: int, ratio: float, count: int | None = None) -> np.ndarray:
    """What each voxel of :func:`respace` along one axis takes of each voxel that there is.

    Args:
        size: voxels that there are.
        ratio: the new spacing over the old.
        count: voxels that there will be, around the same middle; None: as many as the field of view holds.
    Returns: (new voxels, size) float32; each row sums to 1.
    """
    from scipy import ndimage  # not at the top: a tenth of a second before every refusal

    count = count or max(1, round(size / ratio))
    places = (size - 1) / 2 + (np.arange(count) - (count - 1) / 2) * ratio
    if ratio <= 1:
        grid = np.meshgrid(places, np.arange(size), indexing="ij")
        return ndimage.map_coordinates(np.eye(size), grid, order=3, mode="nearest").astype(np.float32)
    reach = int(np.ceil(LOBES * ratio))
    taps = np.floor(places)[:, None].astype(int) + np.arange(-reach, reach + 2)
    distance = (taps - places[:, None]) / ratio
    kernel = np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0)
    weights = np.zeros((count, size))
    np.add.at(weights, (np.arange(count)[:, None], np.clip(taps, 0, size - 1)), kernel)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


LOBES = 5
"""Of Lanczos' window to either side: what lies below the new Nyquist stays, what lies above does not fold."""


def _cubic_along(voxels: np.ndarray, factor: int, axis: int) -> np.ndarray:
    """Cubic convolution along one axis, one pass a phase: HR voxel j lies at LR position (j + 0.5) / factor - 0.5."""
    coarse = np.moveaxis(voxels, axis, 0)
    padded = np.pad(coarse, [(2, 2), (0, 0), (0, 0)], mode="edge")
    length = len(coarse)
    fine = np.empty((length * factor, *coarse.shape[1:]), dtype=np.float32)
    for phase in range(factor):
        position = (phase + 0.5) / factor - 0.5
        first = int(np.floor(position)) - 1
        weights = [_keys(position - (first + tap)) for tap in range(4)]
        fine[phase::factor] = sum(
            np.float32(weight) * padded[2 + first + tap : 2 + first + tap + length]
            for tap, weight in enumerate(weights)
        )
    return np.ascontiguousarray(np.moveaxis(fine, 0, axis))


def _keys(distance: float) -> float:
    """Keys' cubic kernel, a = -0.5."""
    d = abs(distance)
    if d <= 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0


def _zero_fill_along(voxels: np.ndarray, factor: int, axis: int) -> np.ndarray:
    """Zero filling along one axis; a linear phase puts HR voxel 0 at LR position 0.5 / factor - 0.5."""
    length = voxels.shape[axis]
    spectrum = scipy.fft.rfft(voxels, axis=axis)
    position = 0.5 / factor - 0.5
    phase = np.exp(2j * np.pi * np.arange(length // 2 + 1) * position / length).astype(np.complex64)
    if length % 2 == 0:
        phase[-1] *= 0.5  # the Nyquist line is both its own and its mirror's: half of it on each side
    shape = [1, 1, 1]
    shape[axis] = len(phase)
    fine = np.asarray(scipy.fft.irfft(spectrum * phase.reshape(shape), n=length * factor, axis=axis))
    return (fine * np.float32(factor)).astype(np.float32, copy=False)
