"""Random changes of slabs that leave them as true as they were. Knows arrays; knows no file and no cohort."""

from __future__ import annotations

import numpy as np

GAIN_RANGE = (0.9, 1.1)
"""The normalised level of a volume is known to some 10 %: it hangs on how much bright tissue is in view."""


def draw_gain(rng: np.random.Generator) -> float:
    """A factor for intensities, to be shared by slabs that must stay comparable."""
    return float(rng.uniform(*GAIN_RANGE))


def mirror_and_rotate(slab: np.ndarray, rng: np.random.Generator, rotate90: bool) -> np.ndarray:
    """Mirror a slab along each axis or not, and turn it in its plane; nothing is interpolated.

    Args:
        slab: (..., slices, Y, X).
        rng: draws four numbers whatever ``rotate90`` says.
        rotate90: turn by 0, 90, 180 or 270 degrees; needs a square patch of square voxels.
    Returns: a view of the same shape.
    Raises:
        ValueError: if a slab that is not square is to be turned.
    """
    mirrored = rng.random(3) < 0.5
    rotations = int(rng.integers(4))
    if rotate90 and slab.shape[-2] != slab.shape[-1]:
        raise ValueError(f"a patch of {slab.shape[-2:]} cannot be turned: it is not square")
    slab = np.flip(slab, axis=tuple(axis - 3 for axis in range(3) if mirrored[axis]))
    return np.rot90(slab, rotations, axes=(-2, -1)) if rotate90 else slab
