from dataclasses import replace

import pytest

from udeansr.benchmark import bench, budget
from udeansr.benchmark.bench import run
from udeansr.benchmark.request import Benchmark
from udeansr.benchmark.rows import choose_rows
from udeansr.benchmark.scenario import scenarios
from udeansr.benchmark.tables import read_results
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings

SCENARIOS = scenarios(["x2x2x1"], ["unpaired"], ["truncation", "shifted"], ["1"])
TRUNCATION, SHIFTED = SCENARIOS
MISALIGNED = (replace(TRUNCATION, pairing="misaligned"),)


@pytest.fixture
def wanted(folder, settings, tmp_path):
    rows = choose_rows("tricubic,udean,supervised_truncation,oracle", [])
    options = RunSettings(epochs=2, iterations_per_epoch=3, device="cpu")
    return Benchmark(tmp_path / "hr", folder, settings, SCENARIOS, rows, "test", options)


@pytest.fixture
def done(monkeypatch, planned, result):
    """Datasets that hold no image, and rows that are done by being written down."""
    noted = []

    def do_row(task, overwrite):
        noted.append((task.dataset.name, task.row.name))
        if task.row.name == "udean":
            raise UdeansrError("a loss is not finite")
        made = replace(result(task.row), dataset=task.dataset.name, identity=task.identity)
        made.save(task.file)
        return made

    monkeypatch.setattr(
        bench,
        "prepare_dataset",
        lambda folder, settings, hr, scenario, *_: planned(scenario.degradation, scenario.pairing),
    )
    monkeypatch.setattr(bench, "do_row", do_row)
    return noted


def test_a_row_that_fails_does_not_stop_the_others_and_what_is_done_is_not_done_again(wanted, done):
    outcome = run(wanted)
    assert outcome.failed == (f"{TRUNCATION.dataset} udean", f"{SHIFTED.dataset} udean")
    assert len(outcome.done) == 5 and not outcome.there
    done.clear()
    outcome = run(wanted)
    assert len(outcome.there) == 5 and not outcome.done
    assert [row for _, row in done] == ["udean", "udean"]
    done.clear()
    run(replace(wanted, overwrite=True))
    assert len(done) == 7


def test_the_oracle_under_truncation_shows_a_run_of_another_name(wanted, done):
    run(wanted)
    assert (TRUNCATION.dataset, "oracle") not in done and (SHIFTED.dataset, "oracle") in done
    text = (wanted.folder.root / "benchmark.md").read_text()
    assert text.count("oracle (the run of supervised_truncation)") == 1


def test_a_row_that_another_process_is_at_is_left_to_it(wanted, done):
    with wanted.folder.lock(f"{SHIFTED.dataset}.tricubic"):
        outcome = run(wanted)
    assert outcome.elsewhere == (f"{SHIFTED.dataset} tricubic",) and len(outcome.done) == 4
    assert (SHIFTED.dataset, "tricubic") not in done


def test_under_a_budget_each_row_has_the_length_that_was_measured_and_keeps_it(wanted, done, monkeypatch):
    taken = iter([0.5, 1.0])
    monkeypatch.setattr(budget, "seconds_per_iteration", lambda _: next(taken))
    settings = replace(wanted.settings, budget_seconds=80.0)
    rows = choose_rows("tricubic,supervised_measured", [])
    limited = replace(wanted, settings=settings, options=RunSettings(device="cpu"), rows=rows)
    run(limited)
    results = [result for results in read_results(wanted.folder).values() for result in results]
    lengths = [result.identity["run"] for result in results if result.training is not None and "run" in result.identity]
    assert sorted(one["epochs"] * one["iterations_per_epoch"] for one in lengths) == [80, 165]
    assert len(run(limited).there) == 4
