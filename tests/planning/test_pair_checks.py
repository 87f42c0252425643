from pathlib import Path

import numpy as np
import pytest

from udeansr.image.grid import Scale, reorient_geometry, sr_geometry, sub_geometry
from udeansr.image.volume import Geometry
from udeansr.paths import GROUPS
from udeansr.planning.case_facts import Examined
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.pair_checks import pair_faults, pair_warnings
from udeansr.planning.raw_dataset import Case, RawDataset

GRID = CohortGrid("SPL", (4.0, 2.0, 2.0), (2.0, 1.0, 1.0))
COS, SIN = np.cos(0.3), np.sin(0.3)
LR = Geometry((8, 20, 22), (4.0, 2.0, 2.0), (5.0, -3.0, 9.0), ((0.0, 0.0, 1.0), (-SIN, COS, 0.0), (COS, SIN, 0.0)))
HR = sr_geometry(LR, Scale(2, 2, 2))


def pair(hr: Geometry, lr: Geometry = LR, hr_name: str = "one"):
    lr_case, hr_case = Case("one", Path("lr/one")), Case(hr_name, Path(f"hr/{hr_name}"))
    groups = dict.fromkeys(GROUPS, ()) | {"testLR": (lr_case,), "testHR": (hr_case,)}
    examined = [Examined("testLR", lr_case, geometry=lr), Examined("testHR", hr_case, geometry=hr)]
    return RawDataset(Path("Dataset001_A"), "Dataset001_A", groups), examined


def test_an_oblique_pair_on_its_grid_has_neither_fault_nor_warning():
    raw, examined = pair(HR)
    assert pair_faults(raw, examined) == pair_warnings(raw, examined, GRID) == []


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, 1])
def test_hr_may_end_within_one_lr_voxel_and_no_further(axis, end):
    for voxels, expected in ((2, 0), (3, 1)):  # HR voxels cut off at one side
        start, shape = [0, 0, 0], list(HR.shape)
        shape[axis] -= voxels
        start[axis] = 0 if end else voxels
        raw, examined = pair(sub_geometry(HR, tuple(start), tuple(shape)))
        faults = pair_faults(raw, examined)
        assert len(faults) == expected
        gap_mm = voxels * HR.spacing_mm[axis]
        assert all(
            fault.startswith(f"hr/one: ends {gap_mm:.1f} mm inside the field of view of lr/one") for fault in faults
        )
        assert len(pair_warnings(raw, examined, GRID)) == 1


def test_the_field_of_view_does_not_depend_on_how_the_hr_is_stored():
    raw, examined = pair(reorient_geometry(HR, "LAI"))
    assert pair_faults(raw, examined) == []


def test_a_pair_of_two_names_is_two_faults_and_no_pair():
    raw, examined = pair(HR, hr_name="other")
    assert [line.split(": ")[1].split(";")[0] for line in pair_faults(raw, examined)] == ["no partner", "no partner"]
    assert pair_warnings(raw, examined, GRID) == []
