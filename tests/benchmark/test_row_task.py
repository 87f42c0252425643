from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch

from udeansr.benchmark import row_task
from udeansr.benchmark.row_result import METRICS
from udeansr.benchmark.row_task import RowTask, do_row
from udeansr.benchmark.rows import ROWS, parse_row
from udeansr.errors import UdeansrError
from udeansr.methods import build_method
from udeansr.prediction.predict import Outcome
from udeansr.strict_json import as_json
from udeansr.training.checkpoint import KEYS, Progress, save_checkpoint
from udeansr.training.computed import Computed
from udeansr.training.log import EpochRecord
from udeansr.training.run_folder import write_run
from udeansr.training.settings import RunSettings, TrainingRecord


@pytest.fixture
def task(planned, folder):
    def make(row="udean", **options) -> RowTask:
        own = ROWS[row] if row in ROWS else parse_row(row)
        return RowTask(folder, planned("shifted"), own, "test", RunSettings(**options))

    return make


def test_the_row_says_first_how_it_is_run_then_the_benchmark_then_the_plan(task):
    run = task("mine=udean:run.epochs=5,run.learning_rate=0.25", epochs=2, iterations_per_epoch=3).run
    assert (run.epochs, run.iterations_per_epoch, run.learning_rate, run.batch_size) == (5, 3, 0.25, 2)
    assert task("mine=udean:run.epochs=5").iterations == 55
    assert run.seed == 1 and task("mine=udean:run.seed=7").run.seed == 7
    assert task("tricubic").iterations == 0


def test_rows_of_one_method_train_in_folders_of_their_own(task):
    rows = ("udean", "a=udean:beta=0.1", "b=udean:beta=0.2", "supervised_measured", "supervised_truncation")
    assert len({task(row).training for row in rows}) == len(rows)
    assert task("oracle").training.parent.name == "x2x2x1_true"


def test_learning_in_prediction_is_given_the_iterations_of_the_other_rows_up_to_its_authors(task):
    assert task("zssr", epochs=2, iterations_per_epoch=3).settings.iterations == 6
    assert task("zssr").iterations == 77
    assert task("zssr", epochs=100, iterations_per_epoch=100).iterations == 3000
    assert task("mine=zssr:iterations=5").iterations == 5


@pytest.mark.parametrize(
    ("change", "decides"),
    [
        ({"row": "a=udean:beta=0.5"}, True),
        ({"row": "a=udean:run.seed=3"}, True),
        ({"row": "a=udean:run.clip=3"}, True),
        ({"row": "a=udean@truncation"}, True),
        ({"epochs": 3}, True),
        ({"iterations_per_epoch": 3}, True),
        ({"device": "cuda"}, False),
        ({"workers": 3}, False),
        ({"checkpoint_minutes": 3}, False),
    ],
)
def test_all_that_decides_the_scores_is_the_identity_and_nothing_else(task, change, decides):
    assert (task(**{"row": "a=udean"} | change).identity != task("a=udean").identity) is decides


def test_of_the_plan_numbers_decide_and_words_do_not(task):
    made = task()
    configurations = made.dataset.plan.configurations

    def identity(row="udean", **changes):
        plan = made.dataset.plan
        edited = configurations | {"x2x2x1": configurations["x2x2x1"].changed(**changes)}
        return replace(task(row), dataset=replace(made.dataset, plan=replace(plan, configurations=edited))).identity

    assert identity(features=16) != made.identity and identity(patch_size=(8, 8)) != made.identity
    assert identity(reasons={"features": "it was Monday"}) == made.identity
    assert identity("tricubic", features=16) == task("tricubic").identity


def test_a_result_of_the_same_identity_is_found_and_one_of_another_refused(task, result):
    made = task("a=udean")
    assert made.result() is None
    done = replace(result(made.row), identity=made.identity)
    done.save(made.file)
    assert made.result() == done
    with pytest.raises(UdeansrError) as caught:
        task("a=udean:beta=0.5,run.learning_rate=0.25").result()
    assert str(caught.value) == (
        f"{made.file}: was made with other values: settings.beta 0.01 -> 0.5, run.learning_rate 0.001 -> 0.25. "
        "Do it again with --overwrite, or give the row another name"
    )


def test_before_anything_is_trained_everything_is_left(task):
    assert task(epochs=2, iterations_per_epoch=3).iterations_left() == 6


@pytest.fixture
def trained_task(planned, folder):
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

    def predict(lr, sr, query, options):
        told.append(("predict", lr.name, query.method or query.checkpoint, options.mode))
        return Outcome((sr / "sub-4.nii.gz",), (), ())

    def evaluate(sr, hr, slices, processes):
        told.append(("evaluate", hr.name))
        return SimpleNamespace(folders=[SimpleNamespace(cases={"sub-4": dict.fromkeys(METRICS, 30.0)})])

    for stage in (train, predict, evaluate):
        monkeypatch.setattr(row_task, stage.__name__, stage)
    return told


def leave_training(output, plan, configuration, method, settings, run, iterations):
    output.mkdir(parents=True, exist_ok=True)
    state = {key: {} for key in KEYS if key not in ("format", "version")}
    record = TrainingRecord(plan, configuration, method, as_json(settings), run)
    state |= {**record.as_dict(), "progress": asdict(Progress(iterations // 3, iterations, seconds=100.0))}
    save_checkpoint(output / "latest.pt", state)
    if iterations == 6:
        for name in ("best.pt", "final.pt"):
            save_checkpoint(output / name, state)
    epochs = [EpochRecord(epoch, 3, {}, {}, 1e-4, {"validation": 10.0}) for epoch in range(3)]
    (output / "metrics.jsonl").write_text("".join(epoch.line() for epoch in epochs))
    write_run(output, record, Computed("cpu", "fp32"))


def left_by(trained_task, iterations):
    names = (trained_task.configuration.name, trained_task.row.method)
    leave_training(
        trained_task.training,
        trained_task.dataset.plan,
        *names,
        trained_task.settings,
        trained_task.run,
        iterations,
    )


def test_a_row_is_trained_predicted_scored_and_written(trained_task, stages):
    made = do_row(trained_task())
    assert stages == [
        ("train", "x2x2x1", "overwrite"),
        ("predict", "testLR", "best", "overwrite"),
        ("evaluate", "testHR"),
    ]
    assert made == trained_task().result() and made.cases == {"sub-4": dict.fromkeys(METRICS, 30.0)}
    assert made.prediction_seconds >= 0 and made.dataset == made.scenario.dataset
    assert made.training and made.training.iterations == 6 and made.training.seconds == 70.0
    method = build_method("supervised", trained_task().configuration, trained_task().settings)
    assert made.training.weights == sum(weight.numel() for weight in method.parameters())


def test_what_learns_nothing_is_not_trained(trained_task, stages):
    made = do_row(trained_task("tricubic"))
    assert [told[0] for told in stages] == ["predict", "evaluate"] and stages[0][2] == "tricubic"
    assert made.training is None


def test_what_learns_in_prediction_says_what_it_takes_a_volume(trained_task, stages):
    made = do_row(trained_task("zssr"))
    assert [told[0] for told in stages] == ["train", "predict", "evaluate"]
    assert made.training and made.training.iterations == 6 and made.training.weights > 0


@pytest.mark.parametrize(
    ("iterations", "overwrite", "mode"), [(2, False, "continue"), (6, False, None), (6, True, "overwrite")]
)
def test_a_training_goes_on_and_one_that_is_finished_is_used(trained_task, stages, iterations, overwrite, mode):
    left_by(trained_task(), iterations)
    do_row(trained_task(), overwrite)
    assert [told[2] for told in stages if told[0] == "train"] == ([mode] if mode else [])


def test_a_training_of_other_values_is_refused_before_anything_is_done(trained_task, stages):
    left_by(trained_task(), 6)
    with pytest.raises(UdeansrError, match=r"was made with other values: run.epochs 2 -> 4. Do it again with --overwr"):
        do_row(trained_task(epochs=4))
    assert stages == []


def test_scans_that_cannot_be_predicted_make_no_row(trained_task, stages, monkeypatch, tmp_path):
    monkeypatch.setattr(row_task, "predict", lambda *_, **__: Outcome((), (), (tmp_path / "bad.nii",)))
    with pytest.raises(UdeansrError, match=r"0 of 1 done, 1 failed: bad.nii"):
        do_row(trained_task())
    assert trained_task().result() is None


def test_iterations_that_are_left_are_counted(trained_task):
    left_by(trained_task(), 2)
    assert trained_task().iterations_left() == 4
    assert torch.load(trained_task().training / "latest.pt", weights_only=True)["progress"]["iteration"] == 2
