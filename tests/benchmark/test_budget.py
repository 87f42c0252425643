from dataclasses import replace

import pytest

from udeansr.benchmark import budget
from udeansr.benchmark.budget import length_file, seconds_per_iteration, within_budget
from udeansr.benchmark.row_task import RowTask
from udeansr.benchmark.rows import ROWS
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings


@pytest.fixture
def task(planned, folder):
    return RowTask(folder, planned("shifted"), ROWS["supervised_measured"], "test", RunSettings(device="cpu"))


@pytest.mark.parametrize("row", ["supervised_measured", "udean", "zssr"])
def test_a_row_is_timed_before_its_dataset_is_there(task, row):
    assert 0 < seconds_per_iteration(replace(task, row=ROWS[row])) < 10


@pytest.fixture
def timed_task(planned, folder):
    def make(row="udean") -> RowTask:
        return RowTask(folder, planned("shifted"), ROWS[row], "test", RunSettings(device="cpu"))

    return make


@pytest.fixture
def seconds(monkeypatch):
    """What an iteration takes, as it can be set."""
    taken = [2.0]
    monkeypatch.setattr(budget, "seconds_per_iteration", lambda _: taken[0])
    return taken


def test_a_restart_takes_the_length_that_was_measured_first(timed_task, seconds):
    first = within_budget(timed_task(), 160.0)
    assert first.iterations == 80 and length_file(first).is_file()
    seconds[0] = 1.0
    assert within_budget(timed_task(), 160.0).iterations == 80
    assert within_budget(timed_task("supervised_measured"), 160.0).iterations == 165
    assert within_budget(timed_task(), 160.0, anew=True).iterations == 165


def test_learning_in_prediction_has_the_seconds_for_each_volume(timed_task, seconds):
    assert within_budget(timed_task("zssr"), 160.0).settings.iterations == 80
    seconds[0] = 0.01
    assert within_budget(timed_task("zssr"), 160.0, anew=True).settings.iterations == 3000


def test_without_a_budget_or_anything_to_learn_nothing_is_measured(timed_task, seconds):
    assert within_budget(timed_task(), None).iterations == 77
    plain = timed_task("tricubic")
    assert within_budget(plain, 160.0) is plain
    assert not length_file(timed_task()).exists()


def test_a_broken_record_is_told(timed_task, seconds):
    within_budget(timed_task(), 160.0)
    length_file(timed_task()).write_text("{}")
    with pytest.raises(UdeansrError, match=r"udean.json: the key '.+' is missing"):
        within_budget(timed_task(), 160.0)
