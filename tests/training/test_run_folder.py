from __future__ import annotations

import json

import pytest

from udeansr.errors import UdeansrError
from udeansr.training.computed import Computed
from udeansr.training.log import EpochRecord
from udeansr.training.run_folder import open_run_folder, read_run, write_run
from udeansr.training.settings import RunSettings, TrainingRecord

EPOCH = EpochRecord(1, 3, {}, {}, 1e-3, {}).line()


@pytest.fixture
def record(plan) -> TrainingRecord:
    return TrainingRecord(plan, "x2x2x2", "tiny", {"weight": 1.0}, RunSettings(epochs=2))


def test_a_new_training_makes_its_folder(tmp_path) -> None:
    assert open_run_folder(tmp_path / "a" / "b", "new") is None
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["latest.pt", "best.pt", "metrics.jsonl"])
def test_what_a_training_has_learnt_stops_a_new_one(tmp_path, name) -> None:
    (tmp_path / name).write_text(EPOCH if name == "metrics.jsonl" else "")
    with pytest.raises(UdeansrError, match=rf"there is a training already \({name}\); --continue goes on.*--overwrite"):
        open_run_folder(tmp_path, "new")
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize("mode", ["new", "continue"])
def test_a_call_that_was_killed_before_its_first_checkpoint_stops_nothing(tmp_path, mode) -> None:
    for name in ("run.json", "training.log", "metrics.jsonl", ".progress.4711.partial.png", "notes.txt"):
        (tmp_path / name).touch()
    assert open_run_folder(tmp_path, mode) is None
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_overwriting_removes_the_training_and_nothing_else(tmp_path) -> None:
    for name in ("latest.pt", "run.json", "notes.txt"):
        (tmp_path / name).touch()
    assert open_run_folder(tmp_path, "overwrite") is None
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_training_that_has_lost_its_latest_checkpoint_is_not_begun_again_unasked(tmp_path) -> None:
    (tmp_path / "best.pt").touch()
    with pytest.raises(UdeansrError, match=r"there is no latest.pt to continue from, but best.pt; --overwrite begins"):
        open_run_folder(tmp_path, "continue")
    assert (tmp_path / "best.pt").is_file()


def test_another_mode_is_the_callers_mistake(tmp_path) -> None:
    with pytest.raises(ValueError, match="mode 'again'"):
        open_run_folder(tmp_path, "again")


def test_the_record_is_read_as_it_was_written(tmp_path, record) -> None:
    write_run(tmp_path, record, Computed("cpu", "fp32"))
    found = read_run(tmp_path)
    assert (found.settings, found.run) == (record.settings, record.run)
    values = json.loads((tmp_path / "run.json").read_text())
    assert (values["dataset"], values["configuration"], values["method"]) == ("Dataset001_Tiny", "x2x2x2", "tiny")
    assert values["computed"]["device"] == "cpu" and "plan" not in values
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UdeansrError, match=r"run.json: .*begin again with --overwrite"):
        read_run(tmp_path)
