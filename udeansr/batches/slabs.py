"""Slabs of a few neighbouring slices, cut from volumes at random places of the foreground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def draw_slab(voxels: np.ndarray, foreground: np.ndarray, shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Cut a slab around a random foreground voxel, moved inwards where it would leave the volume.

    Args:
        voxels: (Z, Y, X), at least as large as the slab; may be memory-mapped, only the slab is read.
        foreground: (N, 3) indices (Z, Y, X) to draw from.
        shape: of the slab, (slices, Y, X).
        rng: draws one number.
    Returns: a view of ``voxels``.
    Raises:
        ValueError: if there is no foreground or the volume is smaller than the slab.
    """
    starts = draw_place(voxels.shape, foreground, shape, rng)
    return voxels[tuple(slice(a, a + n) for a, n in zip(starts, shape, strict=True))]


def draw_pair(
    hr: np.ndarray, lr: np.ndarray, foreground: np.ndarray, shape: Sequence[int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut slabs of one field of view from HR and its LR.

    Args:
        hr: (Z * sz, Y * sy, X * sx).
        lr: (..., Z, Y, X), at least as large as the slab.
        foreground: (N, 3) indices of HR voxels to draw from.
        shape: of the LR slab, (slices, Y, X).
        rng: draws one number.
    Returns: views of HR and LR, (..., slices, Y, X).
    Raises:
        ValueError: as :func:`draw_slab`.
    """
    factors = [fine // coarse for fine, coarse in zip(hr.shape, lr.shape[-3:], strict=True)]
    starts = draw_place(lr.shape[-3:], foreground, shape, rng, factors)
    places = list(zip(starts, shape, factors, strict=True))
    fine = hr[tuple(slice(a * s, (a + n) * s) for a, n, s in places)]
    return fine, lr[(..., *(slice(a, a + n) for a, n, _ in places))]


def seen(voxels: np.ndarray, view: Sequence[int]) -> np.ndarray:
    """Voxels (..., Z, Y, X) with their last three axes in the order of a view; the same memory."""
    before = voxels.ndim - 3
    return voxels.transpose(*range(before), *(before + axis for axis in view))


def draw_view(views: Sequence[Sequence[int]], rng: np.random.Generator) -> Sequence[int]:
    """One of several views; of one, no number is drawn."""
    return views[int(rng.integers(len(views)))] if len(views) > 1 else views[0]


def draw_place(
    sides: Sequence[int],
    foreground: np.ndarray,
    shape: Sequence[int],
    rng: np.random.Generator,
    factors: Sequence[int] = (1, 1, 1),
) -> list[int]:
    """Draw the first voxel of a slab around a random foreground voxel, whose index is ``factors`` times finer."""
    if len(foreground) == 0:
        raise ValueError("no foreground voxel to draw a slab around")
    if any(side < n for side, n in zip(sides, shape, strict=True)):
        raise ValueError(f"a slab of {tuple(shape)} does not fit into {tuple(sides)}")
    centre = foreground[rng.integers(len(foreground))] // np.asarray(factors)
    return [min(max(int(c) - n // 2, 0), side - n) for c, n, side in zip(centre, shape, sides, strict=True)]
