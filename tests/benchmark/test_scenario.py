import pytest

from udeansr.benchmark.scenario import Scenario, scenarios
from udeansr.degradation.kspace import SHIFTED
from udeansr.degradation.people import Counts
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
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


def test_where_people_are_the_same_the_source_is_left_out_of_the_counts():
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
