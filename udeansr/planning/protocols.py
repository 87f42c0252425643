"""The protocols of a mixed cohort: which target LR one network serves, and which HR teaches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.acquisition import image_contrast
from udeansr.image.files import read_geometry
from udeansr.image.grid import (
    PROTOCOL_TOLERANCE,
    SPACING_TOLERANCE,
    format_spacing,
    reorient_geometry,
    spacing_difference,
)
from udeansr.image.volume import Geometry, Triple
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.cohort_grid import COARSER_HR, band_spacing, find_orientation, most_common
from udeansr.planning.raw_dataset import LR_GROUPS, PAIRED_GROUPS, Case, RawDataset

COARSER_LR = 1.5
"""LR counts as coarser than HR from this ratio of spacings on: from there it rounds to a factor of 2."""


@dataclass(frozen=True)
class _Scan:
    """What the header and the name of an image say."""

    case: Case
    geometry: Geometry
    contrast: str | None

    def spacing_mm(self, orientation: str) -> Triple:
        """Along (Z, Y, X) of an orientation."""
        return reorient_geometry(self.geometry, orientation).spacing_mm


@dataclass
class _Protocol:
    """Target LR of one protocol, as it is gathered; the spacing is that of the first, in the band of the HR."""

    orientation: str
    spacing_mm: Triple
    contrast: str | None
    scans: list[_Scan]

    def __str__(self) -> str:
        contrast, count = self.contrast or "contrast unknown", len(self.scans)
        return f"{format_spacing(self.spacing_mm)} along {self.orientation} ({contrast}, {count} images)"


def split_by_protocol(raw: RawDataset) -> tuple[list[RawDataset], list[str]]:
    """Part a dataset by the protocols of its target LR, by their headers and names.

    LR is of one protocol if spacing, within 10 %, and contrast, where it is known, agree. Along axes where the HR is
    coarser than the LR only the spacing of the HR counts. What is of no other image's protocol is set aside, and so is
    a protocol that no HR is finer than, unless nothing else is left. The HR goes with each protocol that it is finer
    than. Images that cannot be read stay with the largest protocol, for whoever reads them to tell of.

    Args:
        raw: the dataset.
    Returns: a dataset for each protocol, the largest first, with the pairs that are nearest to it; and a line for each
        image that was set aside.
    """
    lr, hr = _scans(raw.groups[TARGET_LR]), _scans(raw.groups[SOURCE_HR])
    if not lr or not hr:
        return [raw], []
    found = _gather(lr, hr)
    kept = [one for one in found if _teachers(one, hr)]
    kept = [one for one in kept if len(one.scans) > 1] or kept or found
    aside = [line for one in found if one not in kept for line in _why_aside(one, kept, bool(_teachers(one, hr)))]
    if len(kept) == 1 and not aside:
        return [raw], []
    return [_part(raw, kept, place, lr, hr) for place in range(len(kept))], aside


def teaches(hr_mm: Triple, lr_mm: Triple) -> bool:
    """Whether HR of a spacing is finer than LR along some axis, by half at least, and coarser along none.

    Args:
        hr_mm: along (Z, Y, X).
        lr_mm: in the band of most HR.
    """
    ratios = np.divide(lr_mm, hr_mm)
    return bool(ratios.max() >= COARSER_LR and ratios.min() >= COARSER_HR)


def _scans(cases: Sequence[Case]) -> list[_Scan]:
    """Those whose header can be read."""
    found = []
    for case in cases:
        try:
            found.append(_Scan(case, read_geometry(case.path), image_contrast(case.path)))
        except UdeansrError:
            continue
    return found


def _gather(lr: Sequence[_Scan], hr: Sequence[_Scan]) -> list[_Protocol]:
    """First what agrees within 2 %, then, the larger first, what agrees within 10 %; the largest protocol first."""
    exact = _joined([[scan] for scan in lr], hr, SPACING_TOLERANCE)
    exact.sort(key=lambda one: (-len(one.scans), one.spacing_mm, one.contrast or "", one.orientation))
    found = _joined([one.scans for one in exact], hr, PROTOCOL_TOLERANCE)
    return sorted(found, key=lambda one: -len(one.scans))


def _joined(groups: Sequence[list[_Scan]], hr: Sequence[_Scan], tolerance: float) -> list[_Protocol]:
    """Each group with the first that agrees with it within a tolerance."""
    found: list[_Protocol] = []
    for scans in groups:
        place = next((one for one in found if _agrees(scans[0], one, hr, tolerance)), None)
        if place is None:
            orientation = find_orientation([scan.geometry for scan in scans])
            spacing_mm = _in_band(scans[0], orientation, hr)
            found.append(_Protocol(orientation, spacing_mm, most_common([scan.contrast for scan in scans]), [*scans]))
        else:
            place.scans += scans
            place.contrast = place.contrast or most_common([scan.contrast for scan in scans])
    return found


def _in_band(scan: _Scan, orientation: str, hr: Sequence[_Scan]) -> Triple:
    """The spacing of LR, that of the HR where the HR is coarser."""
    return band_spacing(scan.spacing_mm(orientation), [one.geometry for one in hr], orientation)[0]


def _agrees(scan: _Scan, protocol: _Protocol, hr: Sequence[_Scan], tolerance: float) -> bool:
    off = spacing_difference(_in_band(scan, protocol.orientation, hr), protocol.spacing_mm)
    return off <= tolerance and (scan.contrast is None or protocol.contrast in (None, scan.contrast))


def _teachers(protocol: _Protocol, hr: Sequence[_Scan]) -> list[_Scan]:
    """The HR that a protocol can learn from."""
    return [scan for scan in hr if teaches(scan.spacing_mm(protocol.orientation), protocol.spacing_mm)]


def _why_aside(own: _Protocol, kept: Sequence[_Protocol], taught: bool) -> Iterator[str]:
    """A line for each image of a protocol that is set aside."""
    others = "; ".join(map(str, kept))
    reason = "no other target LR is of its protocol" if taught else "no source HR is finer by half"
    for scan in own.scans:
        yield (
            f"{scan.case.path}: set aside, as {reason}: {format_spacing(scan.spacing_mm(own.orientation))} along "
            f"{own.orientation} ({scan.contrast or 'contrast unknown'}); trained for: {others}. Give more of its kind"
        )


def _part(
    raw: RawDataset, protocols: Sequence[_Protocol], place: int, lr: Sequence[_Scan], hr: Sequence[_Scan]
) -> RawDataset:
    """The dataset of one protocol; the first takes what fits nowhere, for integrity to refuse."""
    own = protocols[place]
    groups = dict(raw.groups)
    readable = {scan.case.path for scan in lr}
    mine = {scan.case.path for scan in own.scans}
    groups[TARGET_LR] = _only(raw.groups[TARGET_LR], lambda path: path in mine or (place == 0 and path not in readable))
    teachers, known = {scan.case.path for scan in _teachers(own, hr)}, {scan.case.path for scan in hr}
    taught = {scan.case.path for one in protocols for scan in _teachers(one, hr)}
    groups[SOURCE_HR] = _only(
        raw.groups[SOURCE_HR], lambda path: path in teachers or path not in known or path not in taught
    )
    for lr_group in LR_GROUPS:
        if lr_group not in PAIRED_GROUPS:
            continue
        nearest = {scan.case.path: _nearest(scan, protocols, hr) for scan in _scans(raw.groups[lr_group])}
        groups[lr_group] = _only(raw.groups[lr_group], lambda path, near=nearest: near.get(path, 0) == place)
        names = {case.name for case in groups[lr_group]}
        partner = PAIRED_GROUPS[lr_group]
        groups[partner] = tuple(case for case in raw.groups[partner] if case.name in names)
    return replace(raw, groups=groups)


def _only(cases: Sequence[Case], wanted: Callable[[Path], bool]) -> tuple[Case, ...]:
    return tuple(case for case in cases if wanted(case.path))


def _nearest(scan: _Scan, protocols: Sequence[_Protocol], hr: Sequence[_Scan]) -> int:
    """Which protocol's an LR of a pair is; 0 if it is none's."""
    own = (place for place, one in enumerate(protocols) if _agrees(scan, one, hr, PROTOCOL_TOLERANCE))
    return next(own, 0)
