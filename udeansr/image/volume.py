"""A volume: voxels, and where they lie in the world (spacing, origin, direction)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Triple = tuple[float, float, float]
Item = TypeVar("Item")

_TOWARDS = (("R", "L"), ("A", "P"), ("I", "S"))
"""World axes are LPS: the letter where the coordinate falls, and where it grows."""


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of an array (Z, Y, X) lie in the world.

    Attributes:
        shape: voxels along (Z, Y, X).
        spacing_mm: distance of neighbouring voxel centres along (Z, Y, X), mm.
        origin_mm: world position (L, P, S) of the centre of voxel (0, 0, 0), mm.
        axes: the unit vectors (L, P, S) along which the array axes Z, Y, X run; one row an array axis.
    """

    shape: tuple[int, int, int]
    spacing_mm: Triple
    origin_mm: Triple = (0.0, 0.0, 0.0)
    axes: tuple[Triple, Triple, Triple] = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))

    @property
    def steps_mm(self) -> np.ndarray:
        """(3, 3): row i is the way in the world, mm, from a voxel to its neighbour along array axis i."""
        return np.asarray(self.axes) * np.asarray(self.spacing_mm)[:, None]

    def world_mm(self, index: np.ndarray | Triple) -> np.ndarray:
        """World positions (..., 3) in LPS mm of the voxel indices (..., 3) in (Z, Y, X); fractions are allowed."""
        return np.asarray(self.origin_mm) + np.asarray(index, dtype=np.float64) @ self.steps_mm

    @property
    def orientation(self) -> str:
        """The anatomical direction nearest to each array axis, as three letters for (Z, Y, X): "SPL" is LPS stored."""
        signs, world = nearest_world_axes(self)
        return "".join(_TOWARDS[axis][int(sign > 0)] for sign, axis in zip(signs, world, strict=True))


def triple(values: Iterable[Item]) -> tuple[Item, Item, Item]:
    """Three values, as the type of a shape, a spacing or a set of axes says it."""
    z, y, x = values
    return z, y, x


def nearest_world_axes(geometry: Geometry) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """For each array axis the sign and the number (0 = L, 1 = P, 2 = S) of the world axis it runs along most nearly.

    Every world axis is given once: of the six assignments, the one with the largest sum of cosines.
    """
    cosines = np.asarray(geometry.axes)
    orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    world = max(orders, key=lambda order: sum(abs(cosines[i, axis]) for i, axis in enumerate(order)))
    signs = tuple(1 if cosines[i, axis] >= 0 else -1 for i, axis in enumerate(world))
    return signs, world  # type: ignore[return-value]


@dataclass(frozen=True)
class Volume:
    """A 3-D image: voxels (Z, Y, X) in any numeric type, and their geometry.

    Raises:
        ValueError: if the shapes of voxels and geometry differ.
    """

    voxels: np.ndarray
    geometry: Geometry

    def __post_init__(self) -> None:
        """Hold voxels and geometry to one shape."""
        if self.voxels.shape != self.geometry.shape:
            raise ValueError(f"voxels are {self.voxels.shape}, the geometry says {self.geometry.shape}")
