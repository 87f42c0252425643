from pathlib import Path

from udeansr.image.volume import Geometry
from udeansr.paths import GROUPS
from udeansr.planning.case_facts import Examined
from udeansr.planning.cohort_checks import cohort_faults, cohort_warnings
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.raw_dataset import Case, RawDataset

GRID = CohortGrid("SPL", (4.0, 2.0, 2.0), (1.0, 1.0, 1.0))


def seen(group: str, name: str, spacing_mm) -> Examined:
    return Examined(group, Case(name, Path(name)), geometry=Geometry((9, 9, 9), spacing_mm))


def dataset(*examined: Examined) -> RawDataset:
    groups = {group: tuple(one.case for one in examined if one.group == group) for group in GROUPS}
    return RawDataset(Path("Dataset001_A"), "Dataset001_A", groups)


def test_spacings_at_the_limits_of_what_is_taken():
    at_limit = [
        seen("targetLR", "a", (4.07, 2.0, 1.97)),
        seen("sourceHR", "b", (4.4, 2.2, 1.33)),
        seen("testHR", "c", (2.66, 2.0, 2.0)),
    ]
    assert cohort_faults(dataset(*at_limit), at_limit, GRID) == []
    beyond = [
        seen("targetLR", "a", (4.1, 2.0, 2.0)),
        seen("sourceHR", "b", (4.5, 1.0, 1.0)),
        seen("testHR", "c", (2.7, 2.0, 2.0)),
    ]
    lines = cohort_faults(dataset(*beyond), beyond, GRID)
    assert [line.split(":")[0] for line in lines] == ["a", "b", "c"]


def test_without_a_grid_no_spacings_are_compared():
    examined = [seen("targetLR", "a", (9.0, 9.0, 9.0))]
    assert cohort_faults(dataset(*examined), examined, None) == []


def test_only_source_hr_is_resampled_for_its_spacing():
    examined = [seen(group, group, (1.0, 1.0, 1.1)) for group in ("sourceHR", "testHR", "testLR")]
    (warning,) = cohort_warnings(examined, GRID)
    assert warning.startswith("sourceHR: HR of 1 x 1 x 1.1 mm along SPL will be resampled to 1 x 1 x 1 mm")
