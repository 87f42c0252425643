import json
from types import SimpleNamespace

import pytest
import torch

from udeansr.benchmark import row_run
from udeansr.benchmark.row_run import do_row
from udeansr.benchmark.row_task import OF_THE_RUN, RowTask
from udeansr.benchmark.rows import ROWS
from udeansr.errors import UdeansrError
from udeansr.methods import build_method
from udeansr.prediction.predict import Outcome
from udeansr.training.checkpoint import KEYS, save_checkpoint
from udeansr.training.settings import RunSettings


@pytest.fixture
def task(planned, folder):
    def make(row="supervised_measured", **options) -> RowTask:
        options = {"epochs": 2, "iterations_per_epoch": 3, "device": "cpu"} | options
        return RowTask(folder, planned("shifted"), ROWS[row], "test", RunSettings(**options))

    return make


@pytest.fixture
def stages(monkeypatch):
    """Every stage replaced by one that writes down what it was told; training leaves the files of a finished one."""
    told = []

    def train(folder, plan, configuration, method, settings, run, output, mode):
        told.append(("train", configuration, mode))
        leave_training(output, plan, configuration, method, settings, run, iterations=6)

    def predict(lr, sr, wish, options):
        told.append(("predict", lr.name, wish.method or wish.checkpoint, options.mode))
        return Outcome((sr / "sub-4.nii.gz",), (), ())

    def evaluate(sr, hr, slices, processes):
        told.append(("evaluate", hr.name))
        return SimpleNamespace(folders=[SimpleNamespace(cases={"sub-4": {"psnr_db": 30.0}})])

    for stage in (train, predict, evaluate):
        monkeypatch.setattr(row_run, stage.__name__, stage)
    return told


def leave_training(output, plan, configuration, method, settings, run, iterations):
    output.mkdir(parents=True, exist_ok=True)
    state = {key: {} for key in KEYS if key not in ("format", "version")}
    state |= {
        "plan": plan.as_dict(),
        "configuration": configuration,
        "method": method,
        "settings": vars(settings),
        "run": {name: getattr(run, name) for name in OF_THE_RUN},
        "progress": {"epoch": iterations // 3, "iteration": iterations, "seconds": 100.0},
    }
    save_checkpoint(output / "latest.pt", state)
    if iterations == 6:
        for name in ("best.pt", "final.pt"):
            save_checkpoint(output / name, state)
    lines = [json.dumps({"epoch": epoch, "seconds": {"validation": 10.0}}) for epoch in range(3)]
    (output / "metrics.jsonl").write_text("\n".join(lines))
    (output / "run.json").write_text(json.dumps({"computed": {"device": "cpu", "precision": "fp32"}}))


def left_by(task, iterations):
    names = (task.configuration.name, task.row.method)
    leave_training(task.training, task.dataset.plan, *names, task.settings, task.run, iterations)


def test_a_row_is_trained_predicted_scored_and_written(task, stages):
    made = do_row(task())
    assert stages == [
        ("train", "x2x2x1", "overwrite"),
        ("predict", "testLR", "best", "overwrite"),
        ("evaluate", "testHR"),
    ]
    assert made == task().result() and made.cases == {"sub-4": {"psnr_db": 30.0}}
    assert made.prediction_seconds >= 0 and made.dataset == made.scenario.dataset
    assert made.training and made.training.iterations == 6 and made.training.seconds == 70.0
    method = build_method("supervised", task().configuration, task().settings)
    assert made.training.weights == sum(weight.numel() for weight in method.parameters())


def test_what_learns_nothing_is_not_trained(task, stages):
    made = do_row(task("tricubic"))
    assert [told[0] for told in stages] == ["predict", "evaluate"] and stages[0][2] == "tricubic"
    assert made.training is None


def test_what_learns_in_prediction_says_what_it_takes_a_volume(task, stages):
    made = do_row(task("zssr"))
    assert [told[0] for told in stages] == ["train", "predict", "evaluate"]
    assert made.training and made.training.iterations == 6 and made.training.weights > 0


@pytest.mark.parametrize(
    ("iterations", "overwrite", "mode"), [(2, False, "continue"), (6, False, None), (6, True, "overwrite")]
)
def test_a_training_goes_on_and_one_that_is_finished_is_used(task, stages, iterations, overwrite, mode):
    left_by(task(), iterations)
    do_row(task(), overwrite)
    assert [told[2] for told in stages if told[0] == "train"] == ([mode] if mode else [])


def test_a_training_of_other_values_is_refused_before_anything_is_done(task, stages):
    left_by(task(), 6)
    with pytest.raises(UdeansrError, match=r"was made with other values: run.epochs 2 -> 4. Do it again with --overwr"):
        do_row(task(epochs=4))
    assert stages == []


def test_scans_that_cannot_be_predicted_make_no_row(task, stages, monkeypatch, tmp_path):
    monkeypatch.setattr(row_run, "predict", lambda *_, **__: Outcome((), (), (tmp_path / "bad.nii",)))
    with pytest.raises(UdeansrError, match=r"0 of 1 done, 1 failed: bad.nii"):
        do_row(task())
    assert task().result() is None


def test_iterations_that_are_left_are_counted(task):
    left_by(task(), 2)
    assert task().iterations_left() == 4
    assert torch.load(task().training / "latest.pt", weights_only=True)["progress"]["iteration"] == 2
