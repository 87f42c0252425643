"""Super-resolution in the band that a model knows: what an LR holds beyond it is kept and comes back in the SR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from udeansr.image.grid import Scale
from udeansr.image.resampling import respace, respacing_weights, tricubic
from udeansr.image.volume import Triple


class Band:
    """An LR in two parts: what lies below the Nyquist frequency of a coarser grid along some axes, and the rest.

    The first is super-resolved on that grid and interpolated back; the rest is interpolated along the other axes and
    added. Interpolation of both would give interpolation of the LR: nothing of it is lost.

    Args:
        lr: (Z, Y, X).
        spacing_mm: of the LR.
        band_mm: of the coarser grid; axes of equal spacing stay.
        scale: between LR and SR; 1 along the axes that differ.

    Attributes:
        lr: (Z, Y', X'): the first part, on the coarser grid.
        spacing_mm: of that grid.
    """

    def __init__(self, lr: np.ndarray, spacing_mm: Triple, band_mm: Triple, scale: Scale) -> None:
        self.lr, self.spacing_mm = respace(lr, spacing_mm, band_mm), band_mm
        pairs = zip(self.lr.shape, lr.shape, spacing_mm, band_mm, strict=True)
        self._back = [respacing_weights(n, old / new, whole) if n != whole else None for n, whole, old, new in pairs]
        self._rest = tricubic(lr - self._interpolated(self.lr), scale)

    def whole(self, first: int, block: np.ndarray) -> np.ndarray:
        """SR of the coarser grid -> SR of the LR's own: interpolated, and with what lies beyond the band.

        Args:
            first: number of the first HR slice.
            block: (n, Y', X').
        """
        return self.finer(block) + self._rest[first : first + len(block)]

    def finer(self, block: np.ndarray) -> np.ndarray:
        """(n, Y', X') -> (n, Y, X), interpolated."""
        return self._interpolated(block, axes=(1, 2))

    def _interpolated(self, voxels: np.ndarray, axes: Sequence[int] = (0, 1, 2)) -> np.ndarray:
        for axis in axes:
            weights = self._back[axis]
            if weights is not None:
                voxels = np.moveaxis(np.tensordot(weights, voxels, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(voxels)
