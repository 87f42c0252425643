from __future__ import annotations

import multiprocessing

import pytest

from udeansr.errors import UdeansrError
from udeansr.methods import parse_settings
from udeansr.speed import measured_training
from udeansr.speed.measured_training import PROGRESSES, MeasuredTraining, Variant
from udeansr.speed.phases import AVERAGE, COPY, LOAD
from udeansr.training.settings import RunSettings


@pytest.fixture
def begin(folder, plan, one_convolution, monkeypatch):
    """Begins a training; an iteration is timed once at a place."""
    monkeypatch.setattr(measured_training, "WINDOW_SECONDS", 1e-9)

    def make(name: str = "one_convolution", plain: bool = False, **flags) -> MeasuredTraining:
        run = RunSettings(**{"device": "cpu", "precision": "fp32", **flags})
        return MeasuredTraining(folder, plan, "x2x2x1", name, Variant(parse_settings(name, []), run, plain))

    return make


def test_all_of_a_training_is_played_with_batches_of_the_dataset_or_with_one(begin, monkeypatch) -> None:
    with begin(batch_size=3) as training:
        played = []
        trainer = training._trainer
        monkeypatch.setattr(trainer, "play", lambda batch, number: played.append((trainer.method.progress, batch)))
        training.seconds_on_device()
        assert [progress for progress, _ in played] == [one for one in PROGRESSES for _ in range(2)]
        assert len({id(batch) for _, batch in played}) == 1
        played.clear()
        training.seconds()
        assert len({id(batch) for _, batch in played}) == len(played) == 2 * len(PROGRESSES)
        assert all(batch.hr.shape == (3, 3, 16, 16) for _, batch in played)


def test_phases_are_no_more_than_the_whole(begin) -> None:
    with begin() as training:
        phases, together = training.phases()
    assert list(phases)[:2] == [LOAD, COPY] and list(phases)[-1] == AVERAGE
    assert 0 < sum(phases.values()) <= together


def test_workers_end_with_it(begin) -> None:
    with begin(workers=1) as training:
        assert training.seconds() > 0 and training.seconds_of_batches() > 0
        assert multiprocessing.active_children()
    for child in multiprocessing.active_children():
        child.join(20)
    assert not multiprocessing.active_children()


def test_a_plain_step_is_timed_but_not_validated(begin) -> None:
    with begin(plain=True) as training:
        assert training.seconds() > 0
        with pytest.raises(ValueError, match="plain"):
            training.seconds_of_validation()
        with pytest.raises(ValueError, match="plain"):
            training.seconds_of_record()


@pytest.mark.parametrize("name", ["tricubic", "zssr", "self"])
def test_what_is_not_trained_on_a_dataset_is_refused(begin, name) -> None:
    with pytest.raises(UdeansrError, match=f"{name} is not trained on a dataset; expected a method that udeansr_train"):
        begin(name)
