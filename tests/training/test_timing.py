from __future__ import annotations

import logging

import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.methods import method_type, parse_settings
from udeansr.training import timing
from udeansr.training.settings import RunSettings
from udeansr.training.timing import PLACES, TIMED, UNTIMED, Length, of_minutes, seconds_per_iteration
from udeansr.training.trainer import Trainer


@pytest.fixture
def timed(dataset_folder, configuration, tiny):
    """Times the tiny method, or another, in the dataset or before there is one."""

    def run(name: str = "tiny", there: bool = True, **options) -> float:
        run = RunSettings(**{"device": "cpu", "precision": "fp32", **options}).resolved(
            configuration, method_type(name)
        )
        folder = dataset_folder if there else dataset_folder / "nothing"
        return seconds_per_iteration(folder, configuration, name, parse_settings(name, []), run)

    return run


@pytest.mark.parametrize("name", ["tiny", "zssr"])
def test_before_there_are_arrays_slabs_of_their_shape_are_timed(timed, name) -> None:
    assert 0 < timed(name, there=False) < 10


def test_all_of_a_training_is_timed_and_its_beginning_at_each_place_is_not(timed, monkeypatch) -> None:
    clock, shares = [0.0], []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])

    def play(self, batch, iteration):
        assert batch.hr.shape == (2, 6, 16, 16) and batch.lr.shape == (2, 3, 8, 8)
        shares.append(self.method.progress)
        first = iteration % (UNTIMED + TIMED) < UNTIMED
        clock[0] += 100.0 if first else 1.0 + (self.method.progress > 0.5)
        return {}

    monkeypatch.setattr(Trainer, "play", play)
    assert timed() == 1.5
    assert len(shares) == PLACES * (UNTIMED + TIMED) and 0 < shares[0] < 0.1 and 0.9 < shares[-1] < 1


def test_nothing_random_is_used_up(timed) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    timed()
    assert torch.equal(torch.rand(4), expected)


def test_a_device_that_is_not_there_is_refused(timed) -> None:
    with pytest.raises(UdeansrError, match="device 'abacus' is no device"):
        timed(device="abacus")


@pytest.mark.parametrize(
    ("budget_seconds", "each", "longest", "length"),
    [(600.0, 0.5, 250, (8, 150)), (1000.0, 0.1, 250, (40, 250)), (1.0, 0.5, 250, (8, 1)), (1050.0, 0.5, 250, (8, 262))],
)
def test_the_epochs_are_whole_equal_and_eight_at_least(budget_seconds, each, longest, length) -> None:
    made = Length.fitting(budget_seconds, each, longest)
    assert (made.epochs, made.iterations_per_epoch) == length


def test_minutes_become_epochs_once(dataset_folder, configuration, tiny, monkeypatch, caplog) -> None:
    seconds = [0.5]
    monkeypatch.setattr(timing, "seconds_per_iteration", lambda *_: seconds[0])

    def length(name: str = "tiny", **options) -> tuple[int | None, int | None]:
        run = of_minutes(dataset_folder, configuration, name, parse_settings(name, []), RunSettings(**options))
        return run.epochs, run.iterations_per_epoch

    with caplog.at_level(logging.INFO):
        assert length(minutes=1.0) == (40, 3)
    assert "an iteration takes 0.5 seconds here" in caplog.text
    seconds[0] = 0.1
    assert length(minutes=1.0, epochs=40, iterations_per_epoch=3) == (40, 3)  # of a run that goes on
    assert length() == (None, None)
    assert length("tricubic", minutes=1.0) == (None, None)
