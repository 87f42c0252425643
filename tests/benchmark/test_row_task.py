from dataclasses import replace

import pytest

from udeansr.benchmark.row import parse_row
from udeansr.benchmark.row_task import RowTask
from udeansr.benchmark.rows import ROWS
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings


@pytest.fixture
def task(planned, folder):
    def make(row="udean", **options) -> RowTask:
        own = ROWS[row] if row in ROWS else parse_row(row)
        return RowTask(folder, planned("shifted"), own, "test", RunSettings(**options))

    return make


def test_the_row_says_first_how_it_is_run_then_the_benchmark_then_the_plan(task):
    run = task("mine=udean:run.epochs=5,run.lr=0.25", epochs=2, iterations_per_epoch=3).run
    assert (run.epochs, run.iterations_per_epoch, run.lr, run.batch_size) == (5, 3, 0.25, 2)
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
        edited = configurations | {"x2x2x1": replace(configurations["x2x2x1"], **changes)}
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
        task("a=udean:beta=0.5,run.lr=0.25").result()
    assert str(caught.value) == (
        f"{made.file}: was made with other values: settings.beta 0.01 -> 0.5, run.lr 0.001 -> 0.25. "
        "Do it again with --overwrite, or give the row another name"
    )


def test_before_anything_is_trained_everything_is_left(task):
    assert task(epochs=2, iterations_per_epoch=3).iterations_left() == 6
