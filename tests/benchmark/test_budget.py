from dataclasses import replace

import pytest
import torch

from udeansr.benchmark import budget
from udeansr.benchmark.budget import PLACES, TIMED, UNTIMED, Length, length_file, seconds_per_iteration, within_budget
from udeansr.benchmark.row_task import RowTask
from udeansr.benchmark.rows import ROWS
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings
from udeansr.training.trainer import Trainer


@pytest.fixture
def task(planned, folder):
    return RowTask(folder, planned("shifted"), ROWS["supervised_measured"], "test", RunSettings(device="cpu"))


@pytest.mark.parametrize("row", ["supervised_measured", "udean", "zssr"])
def test_before_there_are_arrays_slabs_of_their_shape_are_timed(task, row):
    assert 0 < seconds_per_iteration(replace(task, row=ROWS[row])) < 10


def test_all_of_a_training_is_timed_and_its_beginning_at_each_place_is_not(task, monkeypatch):
    clock, shares = [0.0], []
    monkeypatch.setattr(budget.time, "perf_counter", lambda: clock[0])

    def play(self, batch, iteration):
        assert batch.hr.shape == (2, 3, 32, 32) and batch.lr.shape == (2, 3, 16, 16)
        shares.append(self.method.progress)
        first = iteration % (UNTIMED + TIMED) < UNTIMED
        clock[0] += 100.0 if first else 1.0 + (self.method.progress > 0.5)
        return {}

    monkeypatch.setattr(Trainer, "play", play)
    assert seconds_per_iteration(task) == 1.5
    assert len(shares) == PLACES * (UNTIMED + TIMED) and 0 < shares[0] < 0.1 and 0.9 < shares[-1] < 1


def test_nothing_random_is_used_up(task):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    seconds_per_iteration(task)
    assert torch.equal(torch.rand(4), expected)


def test_a_device_that_is_not_there_is_refused(task):
    with pytest.raises(UdeansrError, match="device 'abacus' is no device"):
        seconds_per_iteration(replace(task, options=RunSettings(device="abacus")))


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


@pytest.mark.parametrize(
    ("budget_seconds", "each", "longest", "length"),
    [(600.0, 0.5, 250, (8, 150)), (1000.0, 0.1, 250, (40, 250)), (1.0, 0.5, 250, (8, 1)), (1050.0, 0.5, 250, (8, 262))],
)
def test_the_epochs_are_whole_equal_and_eight_at_least(budget_seconds, each, longest, length):
    made = Length.fitting(budget_seconds, each, longest)
    assert (made.epochs, made.iterations_per_epoch) == length


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
