"""Random augmentation of training slabs: mirroring, rotation by right angles, gain. Nothing is interpolated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.random import get_bit_generator, set_bit_generator  # pyright: ignore[reportAttributeAccessIssue] its stub

GAIN_RANGE = (0.9, 1.1)
"""The normalised level of a volume is known to some 10 %: it depends on how much bright tissue is in view."""


def draw_gain(rng: np.random.Generator) -> float:
    """Draw a factor for intensities.

    It is drawn once and given to several slabs that must stay on one level, which batchgenerators'
    ``augment_brightness_multiplicative`` cannot do: it draws anew for each array.
    """
    return float(rng.uniform(*GAIN_RANGE))


def mirror_and_rotate(slab: np.ndarray, rng: np.random.Generator, rotate90: bool) -> np.ndarray:
    """Mirror a slab along each axis or not, and rotate it in its plane by a multiple of 90 degrees.

    Args:
        slab: (..., slices, Y, X); not changed.
        rng: four numbers are drawn whatever ``rotate90`` is.
        rotate90: rotate by 0, 90, 180 or 270 degrees; needs a square patch of square voxels.
    Returns: a new array of the same shape.
    Raises:
        ValueError: if a slab that is not square is to be rotated.
    """
    # Imported here, as it brings pandas along: 0.9 s and 30 MB that only training needs.
    from batchgenerators.augmentations.spatial_transformations import augment_mirroring

    if rotate90 and slab.shape[-2] != slab.shape[-1]:
        raise ValueError(f"a patch of {slab.shape[-2:]} cannot be rotated: it is not square")
    channels = np.array(slab).reshape(-1, *slab.shape[-3:])  # a copy: mirroring writes into what it is given
    with _numpy_draws_from(rng):
        augment_mirroring(channels, axes=(0, 1, 2))
    # Not augment_rot90: it draws a plane as well, and slabs are rotated in theirs.
    rotations = int(rng.integers(4))
    mirrored = channels.reshape(slab.shape)
    return np.rot90(mirrored, rotations, axes=(-2, -1)) if rotate90 else mirrored


@contextmanager
def _numpy_draws_from(rng: np.random.Generator) -> Iterator[None]:
    """Let numpy's global functions, which batchgenerators calls, draw from a generator of ours."""
    kept = get_bit_generator()
    set_bit_generator(rng.bit_generator)
    try:
        yield
    finally:
        set_bit_generator(kept)
