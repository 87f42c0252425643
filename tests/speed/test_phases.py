from __future__ import annotations

import time

import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.methods import build_method, method_type, parse_settings
from udeansr.speed.phases import AVERAGE, FORWARD, JUDGE, OPTIMISERS, PhaseClock, backward_of, watched
from udeansr.training.settings import RunSettings
from udeansr.training.train import build_trainer

CPU = torch.device("cpu")


@pytest.fixture
def trainer(plan):
    configuration = plan.configuration("x2x2x1")
    method = build_method("udean", configuration, parse_settings("udean", ["udean.warm_start=0"]))
    return build_trainer(method, RunSettings().resolved(configuration, method_type("udean")), CPU, "fp32")


@pytest.fixture
def batch() -> Batch:
    return Batch(hr=torch.rand(2, 3, 16, 16), lr=torch.rand(2, 3, 8, 8), degraded=torch.rand(2, 3, 8, 8))


def test_each_phase_of_each_player_is_told_and_together_they_are_the_iteration(trainer, batch) -> None:
    clock = PhaseClock(CPU)
    begun = time.perf_counter()
    with watched(trainer.method, clock):
        clock.begin()
        trainer.play(batch, 0)
        clock.end(AVERAGE)
    whole = time.perf_counter() - begun
    players = {backward_of("generators"), backward_of("discriminators")}
    assert clock.seconds.keys() == {FORWARD, JUDGE, OPTIMISERS, AVERAGE, *players}
    assert all(seconds > 0 for seconds in clock.seconds.values())
    assert sum(clock.seconds.values()) <= whole


def test_it_changes_nothing_and_leaves_nothing_behind(trainer, batch, kernels) -> None:
    def played() -> list[str]:
        with kernels() as counted:
            trainer.play(batch, 0)
        return counted.names

    trainer.play(batch, 0)  # optimisers have nothing to count of before
    clock = PhaseClock(CPU)
    before = played()
    with watched(trainer.method, clock):
        assert played() == before
    seen = dict(clock.seconds)
    assert played() == before
    assert clock.seconds == seen


def test_discriminators_are_not_told_apart_where_they_are_compiled(trainer, batch) -> None:
    clock = PhaseClock(CPU)
    with watched(trainer.method, clock, apart=False):
        trainer.play(batch, 0)
    assert FORWARD in clock.seconds and JUDGE not in clock.seconds
