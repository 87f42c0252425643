"""LR grid and HR grid, spacing, orientation and slab axis of a volume."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.volume import Geometry, Triple, Volume, nearest_world_axes, triple

SPACING_TOLERANCE = 0.02
"""Spacings that differ by no more than this part of themselves count as equal."""

PROTOCOL_TOLERANCE = 0.0999
"""How far, as a part of it, a spacing may lie from that of a protocol: less than 10 %, so that 3 and 3.3 mm are two."""

ISOTROPIC = "isotropic"
WantedSpacing = Triple | Literal["isotropic"] | None
"""Of SR, along (Z, Y, X), mm; the finest of its grid along all axes; or that which its model makes."""

_OPPOSITE = dict(zip("LRAPSI", "RLPAIS", strict=True))


@dataclass(frozen=True)
class Scale:
    """How many HR voxels lie in one LR voxel along each array axis (Z, Y, X); Z is the slab axis."""

    z: int
    y: int
    x: int

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Read the paper's notation, in-plane x in-plane x through-plane: ``x2x2x1`` leaves the slices as they are.

        Raises:
            UdeansrError: if the text is something else, a factor is not 1 to 8, or all are 1.
        """
        match = re.fullmatch(r"x?([1-8])x([1-8])x([1-8])", text.strip().lower())
        if match is None or set(match.groups()) == {"1"}:
            raise UdeansrError(
                f"scale {text!r} is not a scale; expected in-plane x in-plane x through-plane with factors of 1 to 8, "
                "at least one above 1, for example x2x2x2 or x2x2x1"
            )
        x, y, z = (int(group) for group in match.groups())
        return cls(z=z, y=y, x=x)

    @property
    def zyx(self) -> tuple[int, int, int]:
        """The factors in the order of the array axes."""
        return (self.z, self.y, self.x)

    def __str__(self) -> str:
        """The paper's notation, ``x2x2x1``."""
        return f"x{self.x}x{self.y}x{self.z}"


def sr_geometry(lr: Geometry, scale: Scale) -> Geometry:
    """The HR grid that tiles an LR grid: the same field of view, ``scale`` voxels for one.

    The centre of the first HR voxel lies (1 - 1/scale)/2 LR voxels before the centre of the first LR voxel.
    """
    factors = np.asarray(scale.zyx, dtype=np.float64)
    return Geometry(
        shape=triple(int(n * s) for n, s in zip(lr.shape, scale.zyx, strict=True)),
        spacing_mm=triple(float(mm) for mm in np.asarray(lr.spacing_mm) / factors),
        origin_mm=triple(float(mm) for mm in lr.world_mm(-(1 - 1 / factors) / 2)),
        axes=lr.axes,
    )


def lr_geometry(hr: Geometry, scale: Scale) -> Geometry:
    """The LR grid whose voxels are merged from the voxels of an HR grid: the way back from :func:`sr_geometry`.

    Raises:
        ValueError: if a side of the HR grid does not divide by its scale.
    """
    if any(n % s for n, s in zip(hr.shape, scale.zyx, strict=True)):
        raise ValueError(f"an HR grid of {hr.shape} does not divide by {scale.zyx}")
    factors = np.asarray(scale.zyx, dtype=np.float64)
    return Geometry(
        shape=triple(n // s for n, s in zip(hr.shape, scale.zyx, strict=True)),
        spacing_mm=triple(float(mm) for mm in np.asarray(hr.spacing_mm) * factors),
        origin_mm=triple(float(mm) for mm in hr.world_mm((factors - 1) / 2)),
        axes=hr.axes,
    )


def respaced_geometry(geometry: Geometry, spacing_mm: Triple) -> Geometry:
    """A grid of another spacing with the same middle; its field of view is the nearest of whole voxels.

    Args:
        geometry: of a volume.
        spacing_mm: along (Z, Y, X).
    """
    sides = zip(geometry.shape, geometry.spacing_mm, spacing_mm, strict=True)
    shape = triple(max(1, round(n * old / new)) for n, old, new in sides)
    middle = geometry.world_mm((np.asarray(geometry.shape) - 1) / 2)
    first = middle - (np.asarray(shape) - 1) / 2 @ (np.asarray(geometry.axes) * np.asarray(spacing_mm)[:, None])
    return Geometry(shape, spacing_mm, triple(float(mm) for mm in first), geometry.axes)


def sub_geometry(geometry: Geometry, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Geometry:
    """The geometry of the box of ``shape`` voxels whose first voxel is ``start`` (Z, Y, X); it may lie outside."""
    origin = triple(float(mm) for mm in geometry.world_mm(np.asarray(start)))
    return Geometry(shape, geometry.spacing_mm, origin, geometry.axes)


def spacing_difference(one_mm: Triple, other_mm: Triple) -> float:
    """How far one spacing is from another along the worst axis, as a part of the other."""
    return max(abs(a / b - 1) for a, b in zip(one_mm, other_mm, strict=True))


def to_band(spacing_mm: Triple, band_mm: Triple, axes: str) -> Triple:
    """A spacing, but along some axes no finer than that of a band.

    Args:
        spacing_mm: along (Z, Y, X).
        band_mm: of the band, along the same axes.
        axes: letters of the axes that are limited.
    """
    sides = zip("ZYX", spacing_mm, band_mm, strict=True)
    return triple(max(mm, band) if axis in axes else mm for axis, mm, band in sides)


def equal_spacing(one_mm: Triple, other_mm: Triple, tolerance: float = SPACING_TOLERANCE) -> bool:
    """Whether two spacings agree along every axis (to 2 %)."""
    return spacing_difference(one_mm, other_mm) <= tolerance


def format_spacing(spacing_mm: Sequence[float]) -> str:
    """A spacing for messages, in the order (Z, Y, X): ``2 x 0.868 x 0.868 mm``."""
    return " x ".join(f"{mm:.4g}" for mm in spacing_mm) + " mm"


def parse_spacing(text: str) -> WantedSpacing:
    """Read a spacing: ``isotropic``, ``0.7`` along all axes, or ``0.7x0.7x1``, in-plane x in-plane x through-plane, mm.

    Raises:
        UdeansrError: if the text is something else.
    """
    if text == ISOTROPIC:
        return ISOTROPIC
    try:
        sides = [float(side) for side in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 3) or not all(0 < mm < float("inf") for mm in sides):
        raise UdeansrError(f"spacing '{text}' is none; expected isotropic, 0.7 or 0.7x0.7x1 (mm, through-plane last)")
    x, y, z = sides * (3 // len(sides))
    return (z, y, x)


def slab_orientation(geometry: Geometry) -> str:
    """The orientation (Z, Y, X) in which the slab axis of this grid comes first.

    The slab axis is that of the coarsest spacing; of equal ones (to 0.1 %) the last stored. The other two follow in
    the order S, P, L, so that all volumes with one slab axis agree, however each was stored.
    """
    coarsest = max(geometry.spacing_mm)
    slab = next(axis for axis in range(3) if geometry.spacing_mm[axis] >= 0.999 * coarsest)
    _, world = nearest_world_axes(geometry)
    letters = "LPS"[world[slab]]
    return letters + "SPL".replace(letters, "")


def reorient_geometry(geometry: Geometry, orientation: str) -> Geometry:
    """The geometry of :func:`reorient`'s result."""
    order, flips = _order_and_flips(geometry.orientation, orientation)
    last = [n - 1 if flip else 0 for n, flip in zip((geometry.shape[i] for i in order), flips, strict=True)]
    first = np.zeros(3)
    first[list(order)] = last
    return Geometry(
        shape=triple(geometry.shape[i] for i in order),
        spacing_mm=triple(geometry.spacing_mm[i] for i in order),
        origin_mm=triple(float(mm) for mm in geometry.world_mm(first)),
        axes=triple(
            triple((-1.0 if flip else 1.0) * c for c in geometry.axes[i]) for i, flip in zip(order, flips, strict=True)
        ),
    )


def reorient(volume: Volume, orientation: str) -> Volume:
    """Permute and flip the stored axes to an anatomical orientation; nothing is interpolated, no voxel moves.

    Args:
        volume: any volume; an oblique one goes to the nearest orientation.
        orientation: three letters for (Z, Y, X), as :attr:`Geometry.orientation` gives them. Reorienting to the
            orientation a volume had before is the way back.
    Raises:
        ValueError: if the three letters do not name three axes.
    """
    voxels = oriented_view(volume.voxels, volume.geometry.orientation, orientation)
    return Volume(np.ascontiguousarray(voxels), reorient_geometry(volume.geometry, orientation))


def oriented_view(voxels: np.ndarray, stored: str, wanted: str) -> np.ndarray:
    """The same memory, seen with its axes in another orientation: what is written to the one is in the other.

    Args:
        voxels: (Z, Y, X) in the orientation ``stored``.
        stored: three letters for (Z, Y, X).
        wanted: as for :func:`reorient`.
    Raises:
        ValueError: as :func:`reorient`.
    """
    order, flips = _order_and_flips(stored, wanted)
    return np.transpose(voxels, order)[tuple(slice(None, None, -1 if flip else None) for flip in flips)]


def same_grid(one: Geometry, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
    """Whether two grids have one shape and every corner of them agrees within the tolerance."""
    if one.shape != other.shape:
        return False
    corners = np.array(np.meshgrid(*((0, n - 1) for n in one.shape))).reshape(3, -1).T
    return bool(np.abs(one.world_mm(corners) - other.world_mm(corners)).max() <= tolerance_mm)


def _order_and_flips(stored: str, wanted: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """The order of the stored axes that gives the wanted ones, and which of those must be flipped."""
    order, flips = [], []
    for letter in wanted:
        if letter not in _OPPOSITE:
            raise ValueError(f"'{wanted}' is no orientation: '{letter}' is none of L R A P S I")
        flip = letter not in stored
        order.append(stored.index(_OPPOSITE[letter] if flip else letter))
        flips.append(flip)
    if sorted(order) != [0, 1, 2]:
        raise ValueError(f"'{wanted}' is no orientation: it names an axis twice")
    return triple(order), triple(flips)
