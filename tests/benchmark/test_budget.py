import pytest

from udeansr.benchmark import budget
from udeansr.benchmark.budget import Length, length_file, within_budget
from udeansr.benchmark.row_task import RowTask
from udeansr.benchmark.rows import ROWS
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings


@pytest.fixture
def task(planned, folder):
    def make(row="udean") -> RowTask:
        return RowTask(folder, planned("shifted"), ROWS[row], "test", RunSettings(device="cpu"))

    return make


@pytest.fixture
def seconds(monkeypatch):
    """What an iteration takes, as it can be set."""
    taken = [2.0]
    monkeypatch.setattr(budget, "seconds_per_iteration", lambda _: taken[0])
    return taken


@pytest.mark.parametrize(
    ("budget_seconds", "each", "longest", "length"),
    [(600.0, 0.5, 250, (8, 150)), (1000.0, 0.1, 250, (40, 250)), (1.0, 0.5, 250, (8, 1)), (1050.0, 0.5, 250, (8, 262))],
)
def test_the_epochs_are_whole_equal_and_eight_at_least(budget_seconds, each, longest, length):
    made = Length.fitting(budget_seconds, each, longest)
    assert (made.epochs, made.iterations_per_epoch) == length


def test_a_restart_takes_the_length_that_was_measured_first(task, seconds):
    first = within_budget(task(), 160.0)
    assert first.iterations == 80 and length_file(first).is_file()
    seconds[0] = 1.0
    assert within_budget(task(), 160.0).iterations == 80
    assert within_budget(task("supervised_measured"), 160.0).iterations == 165
    assert within_budget(task(), 160.0, anew=True).iterations == 165


def test_learning_in_prediction_has_the_seconds_for_each_volume(task, seconds):
    assert within_budget(task("zssr"), 160.0).settings.iterations == 80
    seconds[0] = 0.01
    assert within_budget(task("zssr"), 160.0, anew=True).settings.iterations == 3000


def test_without_a_budget_or_anything_to_learn_nothing_is_measured(task, seconds):
    assert within_budget(task(), None).iterations == 77
    plain = task("tricubic")
    assert within_budget(plain, 160.0) is plain
    assert not length_file(task()).exists()


def test_a_broken_record_is_told(task, seconds):
    within_budget(task(), 160.0)
    length_file(task()).write_text("{}")
    with pytest.raises(UdeansrError, match=r"udean.json: the key '.+' is missing"):
        within_budget(task(), 160.0)
