from __future__ import annotations

import json
from dataclasses import replace

import pytest

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.errors import UdeansrError
from udeansr.methods.udean import Udean, UdeanPaper
from udeansr.strict_json import as_json, from_json
from udeansr.training.settings import LASTING, RunSettings, TrainingRecord, check_same_training


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


@pytest.fixture
def record(plan, configuration) -> TrainingRecord:
    return TrainingRecord(plan, "x2x2x2", "udean", {"beta": 0.01}, RunSettings().resolved(configuration, Udean))


def test_a_record_is_read_as_a_checkpoint_holds_it(record) -> None:
    assert TrainingRecord.from_dict(json.loads(json.dumps(record.as_dict())), "latest.pt") == record


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_setting_may_not_change(record, name) -> None:
    saved = getattr(record.run, name)
    other = replace(record.run, **{name: saved / 2 if isinstance(saved, float) else saved + 1})
    with pytest.raises(UdeansrError, match=rf"^folder .*: run.{name} {saved} -> .*--overwrite"):
        check_same_training(record, replace(record, run=other), "folder")


def test_epochs_may_only_grow_and_how_it_is_computed_may_change(record) -> None:
    free = {"device": "cuda", "precision": "bf16", "workers": 4, "clip": 1.0, "compile": True}
    longer = replace(record.run, epochs=3, checkpoint_minutes=1.0, **free)
    check_same_training(record, replace(record, run=longer), "folder")
    with pytest.raises(UdeansrError, match=r"run.epochs 2 -> 1 \(they may only grow\)"):
        check_same_training(record, replace(record, run=replace(record.run, epochs=1)), "folder")


def test_the_plan_may_change_in_length_and_words_and_in_nothing_else(record, longer) -> None:
    check_same_training(record, replace(record, plan=longer(epochs=9, reasons={"a": "b"})), "folder")
    with pytest.raises(UdeansrError, match=r"folder .*: plan.patch_size \[8, 8\] -> \[9, 8\]"):
        check_same_training(record, replace(record, plan=longer(patch_size=(9, 8))), "folder")
    flat = MeasuredDegradation((0.5,), ((1.0,), (1.0,), (1.0,)), (1.0, 1.0, 1.0), 0.0, 1.0, 0.0)
    with pytest.raises(UdeansrError, match=r"folder .*: plan.degradation"):
        check_same_training(record, replace(record, plan=replace(record.plan, degradation=flat)), "folder")


def test_another_method_and_its_settings_are_named(record) -> None:
    with pytest.raises(UdeansrError, match=r"method udean -> dasr, settings.beta 0.01 -> 0.1"):
        check_same_training(record, replace(record, method="dasr", settings={"beta": 0.1}), "folder")
