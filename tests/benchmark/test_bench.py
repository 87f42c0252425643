from dataclasses import replace

import pytest

from udeansr.benchmark import bench, budget
from udeansr.benchmark.bench import Benchmark, check, run, scan_names
from udeansr.benchmark.rows import choose_rows
from udeansr.benchmark.scenario import scenarios
from udeansr.benchmark.tables import read_results
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings

UNPAIRED, MISALIGNED = scenarios(["x2x2x1"], ["unpaired", "misaligned"], ["truncation"], ["1"])


@pytest.fixture
def wanted(folder, settings, tmp_path):
    options = RunSettings(epochs=2, iterations_per_epoch=3, device="cpu")
    return Benchmark(tmp_path / "hr", folder, settings, (UNPAIRED,), choose_rows("udean", []), "test", options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": ()}, "there is nothing to do without a row; give --rows"),
        ({"split": "source"}, "--split source: there is no such split; expected test or validation"),
        ({"options": RunSettings(device="abacus")}, "device 'abacus' is no device"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(wanted, changes, message):
    with pytest.raises(UdeansrError, match=message):
        check(replace(wanted, **changes))
    assert not wanted.folder.root.exists()


def test_subjects_have_to_be_enough_and_some_to_be_scored(wanted):
    check(wanted)
    with pytest.raises(UdeansrError, match=r"5 subjects .* 8 .*--source"):
        check(replace(wanted, settings=replace(wanted.settings, source=4)))
    check(replace(wanted, settings=replace(wanted.settings, source=4), scenarios=(MISALIGNED,)))
    with pytest.raises(UdeansrError, match="--validation is 0, so that nobody can be scored; expected at least 1"):
        check(replace(wanted, split="validation", settings=replace(wanted.settings, validation=0)))


def test_the_names_of_scans_are_those_of_a_folder_without_suffixes(tmp_path):
    for name in ("b.nii.gz", "a.mha"):
        (tmp_path / name).touch()
    assert scan_names(tmp_path) == ("a", "b")


@pytest.mark.parametrize(
    ("seconds", "options", "added", "message"),
    [
        (0.0, {}, [], "--budget-seconds is 0.0; expected a number above 0"),
        (9.0, {"epochs": 2}, [], "--epochs: with --budget-seconds the seconds say how long it is trained; leave one"),
        (9.0, {}, ["a=udean:run.epochs=2"], "run.epochs of row a: with --budget-seconds the seconds say"),
    ],
)
def test_a_budget_of_seconds_goes_with_no_length(wanted, seconds, options, added, message):
    settings = replace(wanted.settings, budget_seconds=seconds)
    rows = choose_rows("udean", added)
    with pytest.raises(UdeansrError, match=message):
        check(replace(wanted, settings=settings, options=RunSettings(**options, device="cpu"), rows=rows))
    assert not wanted.folder.root.exists()


SCENARIOS = scenarios(["x2x2x1"], ["unpaired"], ["truncation", "shifted"], ["1"])
TRUNCATION, SHIFTED = SCENARIOS
MOVED_SCENARIO = (replace(TRUNCATION, pairing="misaligned"),)


@pytest.fixture
def wanted_benchmark(folder, settings, tmp_path):
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


def test_a_row_that_fails_does_not_stop_the_others_and_what_is_done_is_not_done_again(wanted_benchmark, done):
    outcome = run(wanted_benchmark)
    assert outcome.failed == (f"{TRUNCATION.dataset} udean", f"{SHIFTED.dataset} udean")
    assert len(outcome.done) == 5 and not outcome.there
    done.clear()
    outcome = run(wanted_benchmark)
    assert len(outcome.there) == 5 and not outcome.done
    assert [row for _, row in done] == ["udean", "udean"]
    done.clear()
    run(replace(wanted_benchmark, overwrite=True))
    assert len(done) == 7


def test_the_oracle_under_truncation_shows_a_run_of_another_name(wanted_benchmark, done):
    run(wanted_benchmark)
    assert (TRUNCATION.dataset, "oracle") not in done and (SHIFTED.dataset, "oracle") in done
    text = (wanted_benchmark.folder.root / "benchmark.md").read_text()
    assert text.count("oracle (the run of supervised_truncation)") == 1


def test_a_row_that_another_process_is_at_is_left_to_it(wanted_benchmark, done):
    with wanted_benchmark.folder.lock(f"{SHIFTED.dataset}.tricubic"):
        outcome = run(wanted_benchmark)
    assert outcome.elsewhere == (f"{SHIFTED.dataset} tricubic",) and len(outcome.done) == 4
    assert (SHIFTED.dataset, "tricubic") not in done


def test_under_a_budget_each_row_has_the_length_that_was_measured_and_keeps_it(wanted_benchmark, done, monkeypatch):
    taken = iter([0.5, 1.0])
    monkeypatch.setattr(budget, "seconds_per_iteration", lambda _: next(taken))
    settings = replace(wanted_benchmark.settings, budget_seconds=80.0)
    rows = choose_rows("tricubic,supervised_measured", [])
    limited = replace(wanted_benchmark, settings=settings, options=RunSettings(device="cpu"), rows=rows)
    run(limited)
    results = [result for results in read_results(wanted_benchmark.folder).values() for result in results]
    lengths = [result.identity.run for result in results if result.identity.run]
    assert sorted(one["epochs"] * one["iterations_per_epoch"] for one in lengths) == [80, 165]
    assert len(run(limited).there) == 4
