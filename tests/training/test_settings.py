from __future__ import annotations

from dataclasses import replace

import pytest

from udeansr.errors import UdeansrError
from udeansr.methods.udean import Udean, UdeanPaper
from udeansr.strict_json import as_json, from_json
from udeansr.training.settings import LASTING, RunSettings, check_continuation


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"epochs": 0}, "'epochs' is 0; expected at least 1"),
        ({"validation_cases": 0}, "'validation_cases' is 0; expected at least 1"),
        ({"learning_rate": 0.0}, "'learning_rate' is 0.0; expected above 0"),
        ({"learning_rate": float("nan")}, "'learning_rate' is NaN; expected a finite number"),
        ({"workers": -1}, "'workers' is -1; expected at least 0"),
        ({"ema_decay": 1.0}, "'ema_decay' is 1.0; expected below 1"),
        ({"precision": "fp8"}, "'precision' is \"fp8\"; expected 'auto', 'bf16', 'fp16' or 'fp32'"),
        ({"epoch": 3}, "unknown key 'epoch'; known are epochs"),
    ],
)
def test_what_cannot_be_run_is_refused(values, text) -> None:
    with pytest.raises(UdeansrError, match=f"^run.json: {text}"):
        from_json(RunSettings, values, "run.json")


def test_the_plan_fills_what_is_left_open(configuration) -> None:
    run = RunSettings(epochs=7).resolved(configuration, Udean)
    assert (run.epochs, run.iterations_per_epoch, run.batch_size, run.learning_rate) == (7, 3, 2, Udean.learning_rate)
    assert RunSettings(learning_rate=0.3).resolved(configuration, Udean).learning_rate == 0.3
    assert from_json(RunSettings, as_json(run), "run.json") == run


def test_the_paper_is_run_to_the_letter(configuration) -> None:
    run = RunSettings().resolved(configuration, UdeanPaper)
    assert (run.learning_rate, run.ema_decay, run.augment) == (1e-4, 0.0, False)
    ours = RunSettings().resolved(configuration, Udean)
    assert (ours.ema_decay, ours.augment) == (0.999, True)
    said = RunSettings(ema_decay=0.5, augment=True).resolved(configuration, UdeanPaper)
    assert (said.ema_decay, said.augment) == (0.5, True)


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
