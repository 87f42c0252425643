"""Whether a raw dataset can be trained on: all its faults in one report. Knows images and headers; changes nothing."""

from __future__ import annotations

import logging

from udeansr.errors import UdeansrError
from udeansr.image.files import read_geometry
from udeansr.image.volume import Geometry
from udeansr.parallel import parallel_map
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.case_facts import Examined, Request, examine
from udeansr.planning.cohort_checks import cohort_faults, cohort_warnings
from udeansr.planning.cohort_grid import CohortGrid, find_grid
from udeansr.planning.pair_checks import pair_faults, pair_warnings
from udeansr.planning.raw_dataset import RawDataset

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
    _, _, warnings = examine_dataset(raw, processes, spectra=False)
    return warnings


def examine_dataset(raw: RawDataset, processes: int, *, spectra: bool) -> tuple[CohortGrid, list[Examined], list[str]]:
    """Check a dataset and give what was seen, each image read once.

    Args:
        raw: the dataset.
        processes: worker processes that read the images.
        spectra: whether the spectra of the two training cohorts are wanted as well.
    Returns: the common grid, what was found in each image, and the warnings of :func:`check_dataset`.
    Raises:
        UdeansrError: as :func:`check_dataset`.
    """
    grid = _grid_of_headers(raw)
    requests = [
        Request(group, case, grid, spectra and group in (SOURCE_HR, TARGET_LR))
        for group, cases in raw.groups.items()
        for case in cases
    ]
    examined = parallel_map(examine, requests, processes, "Reading")
    faults = [fault for one in examined for fault in one.faults]
    faults += [*cohort_faults(raw, examined, grid), *pair_faults(raw, examined)]
    if faults:
        raise UdeansrError("\n".join(faults))
    assert grid is not None, "a dataset without faults has readable headers in both cohorts"
    warnings = [*cohort_warnings(examined, grid), *pair_warnings(raw, examined, grid)]
    for warning in warnings:
        _logger.warning(warning)
    return grid, examined, warnings


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
