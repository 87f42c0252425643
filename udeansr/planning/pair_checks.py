"""Faults of the pairs of validation and test. Knows names and headers of images; opens no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from udeansr.image.grid import same_grid, sr_geometry
from udeansr.image.volume import Geometry
from udeansr.planning.case_facts import Examined
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.raw_dataset import PAIRED_GROUPS, RawDataset


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
