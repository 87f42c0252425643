"""Mirroring and turning slabs, and the way back. Knows tensors; knows no network and no volume."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Move:
    """A slab mirrored along some axes, then turned in its plane; no voxel is changed.

    Attributes:
        mirrored: of the last three axes (slices, Y, X) those that are mirrored, 0 to 2.
        quarters: turns by a right angle in the plane, 0 to 3.
    """

    mirrored: tuple[int, ...] = ()
    quarters: int = 0

    def there(self, slabs: Tensor) -> Tensor:
        """(..., slices, Y, X) -> the same moved; Y and X change places with an odd number of quarters."""
        return self._turned(self._flipped(slabs), self.quarters)

    def back(self, slabs: Tensor) -> Tensor:
        """The way back from :meth:`there`, on any grid."""
        return self._flipped(self._turned(slabs, -self.quarters))

    def _flipped(self, slabs: Tensor) -> Tensor:
        return slabs.flip([axis - 3 for axis in self.mirrored]) if self.mirrored else slabs

    @staticmethod
    def _turned(slabs: Tensor, quarters: int) -> Tensor:
        return torch.rot90(slabs, quarters, (-2, -1)) if quarters else slabs


AS_IT_IS = Move()


def all_moves(turns: bool) -> tuple[Move, ...]:
    """Each way to lay a slab onto its own grid, once: the eight mirrorings, and each with a quarter turn.

    Args:
        turns: whether quarter turns count; half turns are mirrorings along both axes.
    """
    axes = [chosen for count in range(4) for chosen in itertools.combinations(range(3), count)]
    return tuple(Move(chosen, quarters) for quarters in ((0, 1) if turns else (0,)) for chosen in axes)
