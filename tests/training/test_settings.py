from __future__ import annotations

from dataclasses import replace

import pytest

from udeansr.errors import UdeansrError
from udeansr.methods.udean import Udean, UdeanPaper
from udeansr.training.settings import LASTING, RunSettings, check_continuation


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"epochs": 0}, "epochs is 0; expected a whole number of at least 1"),
        ({"iterations_per_epoch": -1}, "iterations-per-epoch is -1; expected a whole number of at least 1"),
        ({"batch_size": 0}, "batch-size is 0; expected a whole number of at least 1"),
        ({"validation_cases": 0}, "validation-cases is 0; expected a whole number of at least 1"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0; expected a number above 0"),
        ({"learning_rate": float("nan")}, "learning-rate is nan; expected a number above 0"),
        ({"clip": -1.0}, "clip is -1.0; expected a number above 0"),
        ({"max_minutes": 0.0}, "max-minutes is 0.0; expected a number above 0"),
        ({"checkpoint_minutes": 0.0}, "checkpoint-minutes is 0.0; expected a number above 0"),
        ({"workers": -1}, "workers is -1; expected a whole number of at least 0"),
        ({"seed": -1}, "seed is -1; expected a whole number of at least 0"),
        ({"ema_decay": 1.0}, "ema-decay is 1.0; expected at least 0 (off) and below 1"),
        ({"precision": "fp8"}, "precision is fp8; expected one of auto, bf16, fp16, fp32"),
    ],
)
def test_what_cannot_be_run_is_refused(values, text) -> None:
    with pytest.raises(UdeansrError) as error:
        RunSettings(**values)
    assert str(error.value) == text


def test_the_plan_fills_what_is_left_open(configuration) -> None:
    run = RunSettings(epochs=7).resolved(configuration, Udean)
    assert (run.epochs, run.iterations_per_epoch, run.batch_size, run.learning_rate) == (7, 3, 2, Udean.learning_rate)
    assert RunSettings(learning_rate=0.3).resolved(configuration, Udean).learning_rate == 0.3
    assert RunSettings.from_dict(run.as_dict()) == run


def test_the_paper_is_run_to_the_letter(configuration) -> None:
    run = RunSettings().resolved(configuration, UdeanPaper)
    assert (run.learning_rate, run.ema_decay, run.augment) == (1e-4, 0.0, False)
    ours = RunSettings().resolved(configuration, Udean)
    assert (ours.ema_decay, ours.augment) == (0.999, True)
    said = RunSettings(ema_decay=0.5, augment=True).resolved(configuration, UdeanPaper)
    assert (said.ema_decay, said.augment) == (0.5, True)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(UdeansrError, match=r"run.json: unknown key 'epoch' .*known are epochs"):
        RunSettings.from_dict({"epoch": 3})


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_setting_may_not_change(configuration, name) -> None:
    saved = RunSettings().resolved(configuration, Udean)
    value = getattr(saved, name)
    wanted = replace(saved, **{name: value / 2 if isinstance(value, float) else value + 1})
    with pytest.raises(
        UdeansrError, match=rf"latest.pt was begun with other settings: {name} {value} -> .*--overwrite"
    ):
        check_continuation(saved, wanted, "latest.pt")


def test_epochs_may_only_grow_and_how_it_is_computed_may_change(configuration) -> None:
    saved = RunSettings().resolved(configuration, Udean)
    free = {
        "device": "cuda",
        "precision": "bf16",
        "workers": 4,
        "clip": 1.0,
        "compile": True,
        "checkpoint_minutes": 1.0,
    }
    check_continuation(saved, replace(saved, epochs=3, **free), "latest.pt")
    with pytest.raises(UdeansrError, match=r"epochs 2 -> 1 \(they may only grow\)"):
        check_continuation(saved, replace(saved, epochs=1), "latest.pt")
