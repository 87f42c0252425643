from __future__ import annotations

import json
from dataclasses import replace

import pytest

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.errors import UdeansrError
from udeansr.planning.plan import Plan
from udeansr.training.run_folder import check_same_training, open_run_folder, read_run, write_run


@pytest.fixture
def identity(plan) -> dict:
    return {
        "plan": plan.as_dict(),
        "configuration": "x2x2x2",
        "method": "tiny",
        "settings": {"weight": 1.0},
        "run": {"epochs": 2},
    }


def test_a_new_training_makes_its_folder(tmp_path) -> None:
    assert open_run_folder(tmp_path / "a" / "b", "new") is None
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["latest.pt", "run.json", "training.log"])
def test_any_trace_of_a_training_stops_a_new_one(tmp_path, name) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UdeansrError, match=rf"there is a training already \({name}\); --continue goes on.*--overwrite"):
        open_run_folder(tmp_path, "new")


def test_overwriting_removes_the_training_and_nothing_else(tmp_path) -> None:
    for name in ("latest.pt", "run.json", "notes.txt"):
        (tmp_path / name).touch()
    assert open_run_folder(tmp_path, "overwrite") is None
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_without_a_checkpoint_there_is_nothing_to_continue(tmp_path) -> None:
    with pytest.raises(UdeansrError, match=r"there is no latest.pt to continue from; leave --continue out to begin"):
        open_run_folder(tmp_path, "continue")
    with pytest.raises(UdeansrError, match="there is no training to continue; leave --continue out"):
        read_run(tmp_path)


def test_another_mode_is_the_callers_mistake(tmp_path) -> None:
    with pytest.raises(ValueError, match="mode 'again'"):
        open_run_folder(tmp_path, "again")


def test_the_record_is_read_as_it_was_written(tmp_path, identity) -> None:
    write_run(tmp_path, identity, device="cpu", precision="fp32")
    assert read_run(tmp_path) == {"settings": {"weight": 1.0}, "run": {"epochs": 2}}
    values = json.loads((tmp_path / "run.json").read_text())
    assert values["dataset"] == "Dataset001_Tiny"
    assert values["computed"]["device"] == "cpu"
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UdeansrError, match=r"run.json: no record of a training .*begin again with --overwrite"):
        read_run(tmp_path)


def test_the_same_training_goes_on_though_its_length_changed(plan, identity) -> None:
    longer = replace(
        plan, configurations={"x2x2x2": plan.configuration("x2x2x2").changed(epochs=9, reasons={"a": "b"})}
    )
    check_same_training(identity, {**identity, "plan": longer.as_dict()}, longer, "folder")


def test_another_plan_is_named(plan, identity) -> None:
    other = replace(plan, configurations={"x2x2x2": plan.configuration("x2x2x2").changed(patch_size=(9, 8))})
    with pytest.raises(UdeansrError, match=r"folder was begun with other values: patch_size \(8, 8\) -> \(9, 8\)"):
        check_same_training(identity, {**identity, "plan": other.as_dict()}, other, "folder")
    assert Plan.from_dict(identity["plan"]) == plan
    flat = MeasuredDegradation((0.5,), ((1.0,), (1.0,), (1.0,)), (1.0, 1.0, 1.0), 0.0, 1.0, 0.0)
    measured = replace(plan, degradation=flat)
    with pytest.raises(UdeansrError, match="begun with other values: the measured degradation of the plan"):
        check_same_training(identity, {**identity, "plan": measured.as_dict()}, measured, "folder")
