"""Where SR goes while it is made: slices at a time, into a volume stored in any orientation and of any spacing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from udeansr.image.grid import oriented_view, reorient_geometry
from udeansr.image.resampling import respace
from udeansr.image.volume import Geometry, Volume


class Canvas:
    """A volume that is made slices at a time: they go to their place at once, or once all are there to be respaced.

    Args:
        volume: where they go in the end.
        orientation: in which they come.
        made: the grid on which they come.
        convert: what is made of them, voxel by voxel.
    """

    def __init__(
        self, volume: Volume, orientation: str, made: Geometry, convert: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self._view = oriented_view(volume.voxels, volume.geometry.orientation, orientation)
        self._final = reorient_geometry(volume.geometry, orientation)
        self._made, self._convert = made, convert
        self._waiting = None if self._final.spacing_mm == made.spacing_mm else np.empty(made.shape, np.float32)

    def put(self, first: int, block: np.ndarray) -> None:
        """Take the slices from number ``first`` on.

        Args:
            first: number of the first slice.
            block: (n, Y, X) on the grid on which they come.
        """
        if self._waiting is None:
            self._view[first : first + len(block)] = self._convert(block)
        else:
            self._waiting[first : first + len(block)] = block

    def finish(self, magnitudes: bool) -> None:
        """Respace what waits for it.

        Args:
            magnitudes: whether nothing may fall below 0.
        """
        if self._waiting is not None:
            final = respace(self._waiting, self._made.spacing_mm, self._final.spacing_mm)
            self._view[...] = self._convert(np.maximum(final, 0) if magnitudes else final)
