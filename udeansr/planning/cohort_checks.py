"""Faults that show where images of a dataset are compared. Knows headers and facts of images; opens no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from udeansr.image.volume import Geometry
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.case_facts import Examined, fits_patch
from udeansr.planning.cohort_grid import CohortGrid, equal_spacing, in_mm
from udeansr.planning.plan import SMALLEST_PATCH
from udeansr.planning.raw_dataset import HR_GROUPS, LR_GROUPS, Case, RawDataset

COARSER = 1.5
"""LR counts as coarser than HR from this ratio of spacings on: from there it rounds to a factor of 2."""

FINER = 0.9
"""HR may be coarser than LR along an axis down to this ratio; beyond, it has nothing to teach there."""


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
    """What of single images will be mended: source HR off LR spacing / scale."""
    return [
        f"{one.case.path}: HR of {in_mm(geometry.spacing_mm)} along {grid.orientation} will be resampled to "
        f"{in_mm(grid.sr_spacing_mm)}, which is the LR's spacing / {grid.scale}"
        for one, geometry in _readable(examined, (SOURCE_HR,))
        if not equal_spacing(geometry.spacing_mm, grid.sr_spacing_mm)
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
    """LR of another spacing: it is never resampled, as that would change what is to be learnt."""
    for one, geometry in _readable(examined, LR_GROUPS):
        if not equal_spacing(geometry.spacing_mm, grid.lr_spacing_mm):
            yield (
                f"{one.case.path}: spacing {in_mm(geometry.spacing_mm)} along {grid.orientation}; expected "
                f"{in_mm(grid.lr_spacing_mm)} within 2 %, as most of {TARGET_LR} has; "
                "put LR of another spacing into a dataset of its own"
            )


def _hr_faults(examined: Sequence[Examined], grid: CohortGrid) -> Iterator[str]:
    for one, geometry in _readable(examined, HR_GROUPS):
        ratios = [lr / hr for lr, hr in zip(grid.lr_spacing_mm, geometry.spacing_mm, strict=True)]
        if max(ratios) < COARSER or min(ratios) < FINER:
            found = "is coarser along one axis" if min(ratios) < FINER else "is hardly finer along any axis"
            yield (
                f"{one.case.path}: HR of {in_mm(geometry.spacing_mm)} along {grid.orientation} {found} than the LR of "
                f"{in_mm(grid.lr_spacing_mm)}; expected HR that is at least {COARSER:g} times finer along one axis "
                "and coarser along none; move or remove it"
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
