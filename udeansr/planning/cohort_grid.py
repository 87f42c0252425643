"""The grid that two cohorts share: orientation, spacings, scale; and HR brought to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udeansr.image.grid import SPACING_TOLERANCE, Scale, equal_spacing, reorient_geometry, slab_orientation, to_band
from udeansr.image.resampling import to_spacing
from udeansr.image.volume import Geometry, Triple, Volume

COARSER_HR = 0.9
"""LR over HR spacing below which HR is coarser than LR along an axis, and learning is in the band that HR knows."""


@dataclass(frozen=True)
class CohortGrid:
    """What the headers of both cohorts agree on.

    Attributes:
        orientation: three letters for (Z, Y, X), slab axis first; that of most of the LR.
        lr_spacing_mm: that of most of the LR, the median of those that agree within 2 %, (Z, Y, X) in that orientation;
            along the band axes that of the HR.
        hr_spacing_mm: the median over the HR.
        band_axes: letters of the axes along which HR is coarser than LR. LR is brought to the HR's spacing there, and
            what it holds beyond that is left out of what is learnt.
    """

    orientation: str
    lr_spacing_mm: Triple
    hr_spacing_mm: Triple
    band_axes: str = ""

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
    orientation = find_orientation(lr)
    hr_mm = _median_spacing(hr, orientation)
    every_mm = [reorient_geometry(geometry, orientation).spacing_mm for geometry in lr]
    axes = {axis for lr_mm in every_mm for axis in band_spacing(lr_mm, hr, orientation)[1]}
    band_axes = "".join(axis for axis in "YX" if axis in axes)  # of any LR, so that all are brought to one spacing
    lr_mm = to_band(_median_spacing(_most_alike(lr, orientation), orientation), hr_mm, band_axes)
    return CohortGrid(orientation, lr_mm, hr_mm, band_axes)


def find_orientation(lr: Sequence[Geometry]) -> str:
    """The orientation, slab axis first, of most LR, of which there is one at least."""
    orientation = most_common([slab_orientation(geometry) for geometry in lr])
    assert orientation is not None, "there is an LR geometry"
    return orientation


def most_common(words: Sequence[str | None]) -> str | None:
    """The most frequent word of those that are one; of equally many the first by letter, whatever their order."""
    votes = Counter(word for word in words if word is not None)
    return min(votes, key=lambda word: (-votes[word], word)) if votes else None


def band_spacing(lr_mm: Triple, hr: Sequence[Geometry], orientation: str) -> tuple[Triple, str]:
    """The spacing that LR is learned for, and the letters of the in-plane axes along which it is that of coarser HR.

    Args:
        lr_mm: spacing of the LR along (Z, Y, X) of the orientation.
        hr: at least one.
        orientation: three letters for (Z, Y, X).
    """
    hr_mm = _median_spacing(hr, orientation)
    axes = "".join(axis for axis, a, b in zip("YX", lr_mm[1:], hr_mm[1:], strict=True) if a / b < COARSER_HR)
    return to_band(lr_mm, hr_mm, axes), axes


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
    volume = to_spacing(volume, grid.sr_spacing_mm)
    return volume.voxels[tuple(slice(n - n % s) for n, s in zip(volume.voxels.shape, grid.scale.zyx, strict=True))]


def to_lr_grid(volume: Volume, grid: CohortGrid) -> np.ndarray:
    """The voxels of LR as a network sees them: as they are, but for the band axes.

    Args:
        volume: LR in the orientation of the grid.
        grid: the grid of both cohorts.
    """
    return to_spacing(volume, grid.lr_spacing_mm, grid.band_axes).voxels
