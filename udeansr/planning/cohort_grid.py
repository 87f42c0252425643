"""The grid that two cohorts share: orientation, spacings, scale; and HR brought to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udeansr.image.grid import SPACING_TOLERANCE, Scale, equal_spacing, reorient_geometry, slab_orientation
from udeansr.image.resampling import resample_onto
from udeansr.image.volume import Geometry, Triple, Volume


@dataclass(frozen=True)
class CohortGrid:
    """What the headers of both cohorts agree on.

    Attributes:
        orientation: three letters for (Z, Y, X), slab axis first; that of most of the LR.
        lr_spacing_mm: that of most of the LR, the median of those that agree within 2 %, (Z, Y, X) in that orientation.
        hr_spacing_mm: the median over the HR.
    """

    orientation: str
    lr_spacing_mm: Triple
    hr_spacing_mm: Triple

    @property
    def scale(self) -> Scale:
        """Per axis round(LR spacing / HR spacing), at least 1."""
        ratios = zip(self.lr_spacing_mm, self.hr_spacing_mm, strict=True)
        z, y, x = (max(1, round(lr / hr)) for lr, hr in ratios)
        return Scale(z, y, x)

    @property
    def sr_spacing_mm(self) -> Triple:
        """The spacing of SR, and of HR in training: LR spacing / scale, mm."""
        z, y, x = (mm / factor for mm, factor in zip(self.lr_spacing_mm, self.scale.zyx, strict=True))
        return (z, y, x)

    def lr_voxels(self, shape: tuple[int, int, int], spacing_mm: Triple) -> tuple[int, int, int]:
        """How many whole LR voxels a box of ``shape`` voxels of some spacing holds along (Z, Y, X)."""
        z, y, x = (_held(n, mm, lr) for n, mm, lr in zip(shape, spacing_mm, self.lr_spacing_mm, strict=True))
        return (z, y, x)


def find_grid(lr: Sequence[Geometry], hr: Sequence[Geometry]) -> CohortGrid:
    """The common grid of target LR and source HR.

    Raises:
        ValueError: if one of the two is empty.
    """
    if not lr or not hr:
        raise ValueError("a grid takes at least one LR and one HR geometry")
    votes = Counter(slab_orientation(geometry) for geometry in lr)
    # Of equally frequent orientations the first by letter, so that the order of the files does not matter.
    orientation = min(votes, key=lambda letters: (-votes[letters], letters))
    return CohortGrid(
        orientation, _median_spacing(_most_alike(lr, orientation), orientation), _median_spacing(hr, orientation)
    )


def grid_of_spacing(geometry: Geometry, spacing_mm: Triple) -> Geometry | None:
    """The grid of another spacing within the same field of view, from the same first corner; None if none is needed.

    An axis that has the spacing within 2 % keeps its own.
    """
    old, wanted = np.asarray(geometry.spacing_mm), np.asarray(spacing_mm)
    off = np.abs(old / wanted - 1) > SPACING_TOLERANCE
    if not off.any():
        return None
    new = np.where(off, wanted, old)
    # A field of view that divides by the spacing must not lose a voxel to rounding.
    depth, height, width = (max(1, int(n)) for n in np.asarray(geometry.shape) * old / new + 1e-3)
    slab, row, column = (float(mm) for mm in new)
    # The outer corner of voxel 0 lies half a voxel before its centre, on both grids.
    left, posterior, superior = (float(mm) for mm in geometry.world_mm((new / old - 1) / 2))
    return Geometry((depth, height, width), (slab, row, column), (left, posterior, superior), geometry.axes)


def _most_alike(geometries: Sequence[Geometry], orientation: str) -> list[Geometry]:
    """The largest group of one spacing: of a mixed cohort the median along each axis is a spacing that no image has."""
    spacings = [reorient_geometry(geometry, orientation).spacing_mm for geometry in geometries]
    groups = [
        [geometry for geometry, own in zip(geometries, spacings, strict=True) if equal_spacing(own, spacing)]
        for spacing in sorted(spacings)  # so that of groups of one size the order of the files does not decide
    ]
    return max(groups, key=len)


def _median_spacing(geometries: Sequence[Geometry], orientation: str) -> Triple:
    spacings = [reorient_geometry(geometry, orientation).spacing_mm for geometry in geometries]
    z, y, x = (round(float(mm), 6) for mm in np.median(spacings, axis=0))
    return (z, y, x)


def _held(length: int, mm: float, lr_mm: float) -> int:
    """LR voxels in a length of voxels; those that divide an LR voxel within 2 % are merged, others resampled."""
    factor = max(1, round(lr_mm / mm))
    if abs(lr_mm / mm / factor - 1) <= SPACING_TOLERANCE:
        return length // factor
    return int(length * mm / lr_mm + 1e-3)


def to_hr_grid(volume: Volume, grid: CohortGrid) -> np.ndarray:
    """The voxels of HR at LR spacing / scale, resampled only where its own spacing is off, sides dividing by the scale.

    Args:
        volume: HR in the orientation of the grid.
        grid: the grid of both cohorts.
    """
    planned = grid_of_spacing(volume.geometry, grid.sr_spacing_mm)
    if planned is not None:
        volume = resample_onto(volume, planned)
    return volume.voxels[tuple(slice(n - n % s) for n, s in zip(volume.voxels.shape, grid.scale.zyx, strict=True))]
