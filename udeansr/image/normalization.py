"""Intensities to a common level (the 99.5th percentile of the foreground becomes 1), and back."""

from __future__ import annotations

import numpy as np

from udeansr.image.cropping import foreground_mask, high_percentile

PERCENTILE = 99.5


def intensity_scale(voxels: np.ndarray) -> float:
    """The level that becomes 1: the 99.5th percentile of the foreground.

    Taken over the foreground, it does not depend on how much air the field of view holds.

    Args:
        voxels: (Z, Y, X) magnitudes, any unit.
    Returns: a positive number in the unit of the voxels.
    Raises: ValueError if no voxel is positive.
    """
    mask = foreground_mask(voxels)
    if not mask.any():
        raise ValueError("no voxel is positive")
    return high_percentile(voxels[mask], PERCENTILE)


def normalize(voxels: np.ndarray, scale: float) -> np.ndarray:
    """Voxels over the scale, float32. Nothing is clipped, so that nothing is lost."""
    return voxels.astype(np.float32) / np.float32(scale)


def denormalize(voxels: np.ndarray, scale: float, dtype: np.dtype | None = None) -> np.ndarray:
    """The way back from :func:`normalize`, into any type; an integer type is rounded and clipped to its range.

    Args:
        voxels: normalised float voxels.
        scale: what :func:`normalize` was given.
        dtype: the type to return; float32 where it is None.
    """
    scaled = voxels.astype(np.float32) * np.float32(scale)
    if dtype is None:
        return scaled
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        # Through float64: float32 cannot hold the limits of 32-bit integers.
        return np.clip(np.rint(scaled.astype(np.float64)), limits.min, limits.max).astype(dtype)
    return scaled.astype(dtype)
