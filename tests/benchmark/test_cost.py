from dataclasses import replace

import pytest
import torch

from udeansr.benchmark import cost
from udeansr.benchmark.cost import PLACES, TIMED, UNTIMED, seconds_per_iteration
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
    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock[0])

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
