"""Whether a raw dataset can be trained on: all its faults in one report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.files import read_geometry
from udeansr.image.grid import (
    PROTOCOL_TOLERANCE,
    equal_spacing,
    format_spacing,
    same_grid,
    sr_geometry,
    to_band,
)
from udeansr.image.volume import Geometry
from udeansr.parallel import parallel_map
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.case_facts import Examined, Request, examine, fits_patch
from udeansr.planning.cohort_grid import COARSER_HR, CohortGrid, find_grid
from udeansr.planning.configuration import SMALLEST_PATCH
from udeansr.planning.protocols import COARSER_LR, split_by_protocol, teaches
from udeansr.planning.raw_dataset import HR_GROUPS, LR_GROUPS, PAIRED_GROUPS, Case, RawDataset


@dataclass(frozen=True)
class ExaminedProtocol:
    """The images of one protocol, each read once.

    Attributes:
        raw: the part of the dataset.
        grid: of its two cohorts.
        images: what was found in each.
    """

    raw: RawDataset
    grid: CohortGrid
    images: list[Examined]


def cohort_faults(raw: RawDataset, examined: Sequence[Examined], grid: CohortGrid | None) -> list[str]:
    """Names given twice, images given twice, spacings that do not go together, images below the smallest patch.

    Args:
        raw: the dataset.
        examined: what was found in each image.
        grid: the common grid; None where too few headers are readable, so that no spacings are compared.
    Returns: one line a fault, naming its file.
    """
    faults = [*_equal_names(raw), *_duplicates(examined)]
    if grid is not None:
        faults += [*_lr_faults(examined, grid), *_hr_faults(examined, grid), *_small(examined, grid)]
    return faults


def cohort_warnings(examined: Sequence[Examined], grid: CohortGrid) -> list[str]:
    """What of single images will be mended: source HR off LR spacing / scale; a line for each spacing."""
    off: dict[str, list[str]] = {}
    for one, geometry in _readable(examined, (SOURCE_HR,)):
        if not equal_spacing(geometry.spacing_mm, grid.sr_spacing_mm):
            off.setdefault(format_spacing(geometry.spacing_mm), []).append(str(one.case.path))
    return [
        f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: HR of {spacing} along "
        f"{grid.orientation} will be resampled to {format_spacing(grid.sr_spacing_mm)}, which is the LR's spacing / "
        f"{grid.scale}"
        for spacing, paths in off.items()
    ]


def _equal_names(raw: RawDataset) -> Iterator[str]:
    for cases in raw.groups.values():
        first: dict[str, Case] = {}
        for case in cases:
            if case.name in first:
                yield (
                    f"{case.path}: its name is that of {first[case.name].path}; "
                    "expected one file a name in a group; rename or remove one of the two"
                )
            first.setdefault(case.name, case)


def _duplicates(examined: Sequence[Examined]) -> Iterator[str]:
    first: dict[str, Case] = {}
    for one in examined:
        if one.facts is None:
            continue
        earlier = first.setdefault(one.facts.digest, one.case)
        if earlier is not one.case:
            yield (
                f"{one.case.path}: the same voxels as {earlier.path}; "
                "expected every image once, in one group; remove one of the two"
            )


def _lr_faults(examined: Sequence[Examined], grid: CohortGrid) -> Iterator[str]:
    """LR of a spacing that no protocol has: it is not resampled, as that would change what is to be learnt."""
    for one, geometry in _readable(examined, LR_GROUPS):
        in_band = to_band(geometry.spacing_mm, grid.lr_spacing_mm, grid.band_axes)
        if not equal_spacing(in_band, grid.lr_spacing_mm, PROTOCOL_TOLERANCE):
            yield (
                f"{one.case.path}: spacing {format_spacing(geometry.spacing_mm)} along {grid.orientation}; expected "
                f"{format_spacing(grid.lr_spacing_mm)} within 10 %, as {TARGET_LR} has; "
                "put LR of another spacing into a dataset of its own"
            )


def _hr_faults(examined: Sequence[Examined], grid: CohortGrid) -> Iterator[str]:
    for one, geometry in _readable(examined, HR_GROUPS):
        ratios = [lr / hr for lr, hr in zip(grid.lr_spacing_mm, geometry.spacing_mm, strict=True)]
        if not teaches(geometry.spacing_mm, grid.lr_spacing_mm):
            found = "is coarser along one axis" if min(ratios) < COARSER_HR else "is hardly finer along any axis"
            yield (
                f"{one.case.path}: HR of {format_spacing(geometry.spacing_mm)} along {grid.orientation} {found} than "
                f"the {format_spacing(grid.lr_spacing_mm)} that LR is learned for; expected HR that is at least "
                f"{COARSER_LR:g} times finer along one axis, and coarser along none than most HR; move or remove it"
            )


def _small(examined: Sequence[Examined], grid: CohortGrid) -> Iterator[str]:
    for one in examined:
        if one.facts is None or one.group not in (SOURCE_HR, TARGET_LR) or fits_patch(one.facts, grid):
            continue
        depth, height, width = grid.lr_voxels(one.facts.foreground_shape, one.facts.spacing_mm)
        slices, rows, columns = SMALLEST_PATCH
        yield (
            f"{one.case.path}: its foreground holds {depth} slices of {height} x {width} LR voxels; expected at least "
            f"{slices} of {rows} x {columns}, the smallest patch; give a larger field of view or remove it"
        )


def _readable(examined: Sequence[Examined], groups: tuple[str, ...]) -> Iterator[tuple[Examined, Geometry]]:
    for one in examined:
        if one.geometry is not None and one.group in groups:
            yield one, one.geometry


def pair_faults(raw: RawDataset, examined: Sequence[Examined]) -> list[str]:
    """Images without a partner, and pairs whose HR leaves out part of its LR's field of view.

    Args:
        raw: the dataset.
        examined: what was found in each image.
    Returns: one line a fault, naming its file.
    """
    return [*_incomplete(raw), *_apart(raw, examined)]


def pair_warnings(raw: RawDataset, examined: Sequence[Examined], grid: CohortGrid) -> list[str]:
    """HR that will be resampled, as it does not lie on the SR grid of its LR."""
    return [
        f"{hr.case.path}: will be resampled onto the SR grid of {lr.case.path}, to be compared with its SR"
        for hr, hr_geometry, lr, lr_geometry in _paired(raw, examined)
        if not same_grid(hr_geometry, sr_geometry(lr_geometry, grid.scale))
    ]


def _incomplete(raw: RawDataset) -> Iterator[str]:
    for lr_group, hr_group in PAIRED_GROUPS.items():
        for group, partner in ((lr_group, hr_group), (hr_group, lr_group)):
            names = {case.name for case in raw.groups[partner]}
            for case in raw.groups[group]:
                if case.name not in names:
                    yield (
                        f"{case.path}: no partner; expected an image named {case.name} in {raw.folder / partner}; "
                        "add it, or remove this one"
                    )


def _apart(raw: RawDataset, examined: Sequence[Examined]) -> Iterator[str]:
    """HR that ends inside its LR by more than one LR voxel at some side."""
    for hr, hr_geometry, lr, lr_geometry in _paired(raw, examined):
        corners = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in lr_geometry.shape))).reshape(3, -1).T
        # Where the LR's outer corners lie in the HR, in HR voxels; the HR's axes are orthonormal.
        steps = np.asarray(hr_geometry.axes) / np.asarray(hr_geometry.spacing_mm)[:, None]
        inside = (lr_geometry.world_mm(corners) - np.asarray(hr_geometry.origin_mm)) @ steps.T
        beyond = np.maximum(-0.5 - inside, inside - (np.asarray(hr_geometry.shape) - 0.5)).max(axis=0)
        gap_mm = beyond * np.asarray(hr_geometry.spacing_mm)
        if (gap_mm > np.asarray(lr_geometry.spacing_mm)).any():
            yield (
                f"{hr.case.path}: ends {gap_mm.max():.1f} mm inside the field of view of {lr.case.path}; expected a "
                "pair of one field of view and position; register and resample the HR to its LR, or remove both"
            )


def _paired(raw: RawDataset, examined: Sequence[Examined]) -> Iterator[tuple[Examined, Geometry, Examined, Geometry]]:
    """Every readable pair: HR, its geometry, LR, its geometry."""
    found = {(one.group, one.case.name): one for one in examined}
    for lr_group, hr_group in PAIRED_GROUPS.items():
        for lr_case, hr_case in raw.pairs(lr_group):
            lr, hr = found[lr_group, lr_case.name], found[hr_group, hr_case.name]
            if lr.geometry is not None and hr.geometry is not None:
                yield hr, hr.geometry, lr, lr.geometry


_logger = logging.getLogger(__name__)


def check_dataset(raw: RawDataset, processes: int) -> list[str]:
    """Check a dataset before anything is done with it.

    Args:
        raw: the dataset.
        processes: worker processes that read the images.
    Returns: one line for everything that will be mended on the way, also logged as warnings.
    Raises:
        UdeansrError: with every fault of the dataset, one line each, naming its file.
    """
    _, warnings = examine_dataset(raw, processes, spectra=False)
    return warnings


def examine_dataset(raw: RawDataset, processes: int, *, spectra: bool) -> tuple[list[ExaminedProtocol], list[str]]:
    """Check a dataset and give what was seen, by protocol of the target LR.

    Args:
        raw: the dataset.
        processes: worker processes that read the images.
        spectra: whether the spectra of the two training cohorts are wanted as well.
    Returns: the protocols, the largest first, and the warnings of :func:`check_dataset`.
    Raises:
        UdeansrError: as :func:`check_dataset`.
    """
    parts, warnings = split_by_protocol(raw)
    faults, protocols = [*_equal_names(raw), *_incomplete(raw)], []
    for part in parts:
        grid = _grid_of_headers(part)
        requests = [
            Request(group, case, grid, spectra and group in (SOURCE_HR, TARGET_LR))
            for group, cases in part.groups.items()
            for case in cases
        ]
        examined = parallel_map(examine, requests, processes, "Reading")
        faults += [fault for one in examined for fault in one.faults]
        faults += [*cohort_faults(part, examined, grid), *pair_faults(part, examined)]
        if not faults:
            assert grid is not None, "a dataset without faults has readable headers in both cohorts"
            warnings += [*cohort_warnings(examined, grid), *pair_warnings(part, examined, grid)]
            protocols.append(ExaminedProtocol(part, grid, examined))
    if faults:
        raise UdeansrError("\n".join(dict.fromkeys(faults)))  # what holds for several protocols is said once
    for warning in warnings:
        _logger.warning(warning)
    return protocols, warnings


def _grid_of_headers(raw: RawDataset) -> CohortGrid | None:
    """The common grid as the readable headers tell; the others are reported when the voxels are read."""
    geometries: dict[str, list[Geometry]] = {TARGET_LR: [], SOURCE_HR: []}
    for group, found in geometries.items():
        for case in raw.groups[group]:
            try:
                found.append(read_geometry(case.path))
            except UdeansrError:
                continue
    if not all(geometries.values()):
        return None
    return find_grid(geometries[TARGET_LR], geometries[SOURCE_HR])
