"""Slabs of a few neighbouring slices, drawn for training. Knows arrays; knows no file and no network."""

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
    if len(foreground) == 0:
        raise ValueError("no foreground voxel to draw a slab around")
    if any(side < n for side, n in zip(voxels.shape, shape, strict=True)):
        raise ValueError(f"a slab of {tuple(shape)} does not fit into {voxels.shape}")
    centre = foreground[rng.integers(len(foreground))]
    starts = [min(max(int(c) - n // 2, 0), side - n) for c, n, side in zip(centre, shape, voxels.shape, strict=True)]
    return voxels[tuple(slice(a, a + n) for a, n in zip(starts, shape, strict=True))]
