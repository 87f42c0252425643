import pytest

from udeansr.benchmark.rows import ROWS, choose_rows, parse_row
from udeansr.benchmark.scenario import Scenario, left_out, runs_of_part, scenarios, shared_runs
from udeansr.degradation.kspace import SHIFTED
from udeansr.degradation.subjects import Counts
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.parallel import Part
from udeansr.paths import dataset_number


def test_scenarios_are_all_that_can_be_made_of_the_words_each_once():
    made = scenarios(["x2x2x1", "2x2x2", "x2x2x1"], ["unpaired", "misaligned"], ["shifted"], ["1", "2"])
    assert len(made) == 8 and made[0] == Scenario("x2x2x1", "unpaired", "shifted", 1)
    assert made[-1] == Scenario("x2x2x2", "misaligned", "shifted", 2)
    assert made[0].true_degradation == SHIFTED and made[0].factors == Scale.parse("x2x2x1")


def test_each_has_a_dataset_of_its_own_that_hangs_on_nothing_else():
    made = scenarios(["x2x2x1", "x2x2x2"], ["unpaired", "misaligned"], ["truncation", "shifted"], ["0", "1", "12"])
    names = [scenario.dataset for scenario in made]
    assert len(set(names)) == len(made) == 24
    assert all(1 <= dataset_number(name) <= 999 for name in names)
    assert made[0].dataset == "Dataset853_x2x2x1_unpaired_truncation_seed0"


def test_where_subjects_are_the_same_the_source_is_left_out_of_the_counts():
    unpaired, misaligned = scenarios(["x2x2x1"], ["unpaired", "misaligned"], ["truncation"], ["1"])
    assert unpaired.counts(Counts(3, 2, 1, 1)) == Counts(3, 2, 1, 1)
    assert misaligned.counts(Counts(3, 2, 1, 1)) == Counts(None, 2, 1, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": ["2"]}, "scale '2' is not a scale"),
        ({"pairings": ["paired"]}, "pairing 'paired' is not known; expected unpaired or misaligned"),
        ({"degradations": ["blur"]}, "degradation 'blur' is not known; expected truncation or shifted"),
        ({"seeds": ["-1"]}, "seed '-1' is none; expected a whole number of at least 0"),
        ({"degradations": []}, "there is nothing to do without a scenario; give --degradations"),
    ],
)
def test_what_makes_no_scenario_is_told(change, message):
    words = {"scales": ["x2x2x1"], "pairings": ["unpaired"], "degradations": ["truncation"], "seeds": ["1"]}
    with pytest.raises(UdeansrError, match=message):
        scenarios(**words | change)


TRUNCATED, BLURRED = scenarios(["x2x2x1"], ["unpaired"], ["truncation", "shifted"], ["1"])
(MISALIGNED,) = scenarios(["x2x2x1"], ["misaligned"], ["truncation"], ["1"])


def test_rows_that_show_one_run_are_done_once():
    rows = (ROWS["oracle"], ROWS["udean"], ROWS["supervised_truncation"])
    names = [(row.name, [other.name for other in shown]) for row, shown in shared_runs(rows, TRUNCATED)]
    assert names == [("supervised_truncation", ["oracle"]), ("udean", [])]
    assert [len(shown) for _, shown in shared_runs(rows, BLURRED)] == [0, 0, 0]


def test_rows_that_need_pairs_run_where_there_are_some():
    rows = (ROWS["supervised_paired"], parse_row("moved=supervised:register=yes,alpha=0.1"), ROWS["udean"])
    assert [row.name for row, _ in shared_runs(rows, TRUNCATED)] == ["udean"]
    assert [row.name for row, _ in shared_runs(rows, MISALIGNED)] == ["supervised_paired", "moved", "udean"]
    assert left_out(rows, MISALIGNED) == ""
    assert left_out(rows, TRUNCATED) == (
        "supervised_paired, moved: left out, as LR and HR are of different subjects; --pairings misaligned has pairs"
    )


def test_parts_have_every_run_once_and_no_scenario_without_one():
    rows = choose_rows("table1,table2", [])
    wanted = (TRUNCATED, BLURRED, MISALIGNED)
    whole = [(scenario, row.name) for scenario, runs in runs_of_part(rows, wanted, Part()) for row, _ in runs]
    parts = [runs_of_part(rows, wanted, Part(3, number)) for number in range(3)]
    pieces = [(scenario, row.name) for part in parts for scenario, runs in part for row, _ in runs]
    assert sorted(map(str, pieces)) == sorted(map(str, whole)) and len(set(map(str, whole))) == len(whole)
    lonely = runs_of_part(choose_rows("udean", []), wanted, Part(3, 1))
    assert [scenario for scenario, _ in lonely] == [BLURRED]
