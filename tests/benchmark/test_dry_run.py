from dataclasses import replace

import pytest

from udeansr.benchmark import budget, dry_run
from udeansr.benchmark.bench import Benchmark, row_task
from udeansr.benchmark.budget import of_length
from udeansr.benchmark.rows import choose_rows, parse_row
from udeansr.benchmark.scenario import Scenario
from udeansr.training.settings import RunSettings

SCENARIO = "x2x2x1 unpaired truncation seed 1"


@pytest.fixture
def wanted(folder, settings, tmp_path, monkeypatch):
    for module in (budget, dry_run):
        monkeypatch.setattr(module, "seconds_per_iteration", lambda _: 50.0)
    rows = choose_rows("tricubic,supervised_truncation,oracle", ["longer=udean:run.epochs=5"])
    options = RunSettings(epochs=2, iterations_per_epoch=3, device="cpu")
    scenario = Scenario("x2x2x1", "unpaired", "truncation", 1)
    return Benchmark(tmp_path / "hr", folder, settings, (scenario,), rows, "test", options)


def lines(wanted) -> list[str]:
    return [line.removeprefix(f"{SCENARIO}: ") for line in dry_run.remaining_rows(wanted)]


def test_before_anything_is_there_it_is_told_what_the_options_say(wanted, folder):
    assert list(dry_run.remaining_rows(wanted)) == [
        f"{SCENARIO}: tricubic: prediction only",
        f"{SCENARIO}: supervised_truncation, same as well as oracle: 6 iterations; time unknown before planning",
        f"{SCENARIO}: longer: 15 iterations; time unknown before planning",
        "in all about 0 s of training on this machine, and 2 rows, unknown before planning; simulation, validation, SR "
        "come on top",
    ]
    unsaid = replace(wanted, options=RunSettings(device="cpu"))
    assert lines(unsaid)[1].startswith("supervised_truncation, same as well as oracle: iterations as planned")
    zssr, _ = lines(replace(wanted, rows=choose_rows("zssr", [])))
    assert zssr.startswith("zssr: 6 iterations on each volume, in prediction")
    named = lines(replace(wanted, rows=(parse_row("named=supervised:pairs=real"),)))
    assert named[0].startswith("named: left out, as LR and HR are of different subjects")
    assert not folder.root.exists()


def test_a_budget_is_the_time_before_anything_is_planned(wanted):
    settings = replace(wanted.settings, budget_seconds=60.0, epochs=None, iterations_per_epoch=None)
    rows = choose_rows("udean,zssr", [])
    told = lines(replace(wanted, settings=settings, options=RunSettings(device="cpu"), rows=rows))
    assert told[:2] == [
        "udean: iterations of 60 seconds, about 60 s",
        "zssr: iterations of 60 seconds on each volume, in prediction, about 2 min",
    ]
    assert told[2].startswith("in all about 3 min of training on this machine; simulation")


def test_what_is_planned_done_or_of_other_values_is_told_with_its_time(wanted, planned, result, folder):
    folder.claim(wanted.settings)
    dataset = planned("truncation")
    unsaid = replace(wanted, options=RunSettings(device="cpu"))
    assert lines(unsaid)[1].endswith("oracle: 77 iterations, about 64 min")
    assert lines(wanted)[1:] == [
        "supervised_truncation, same as well as oracle: 6 iterations, about 5 min",
        "longer: 15 iterations, about 12 min",
        "in all about 18 min of training on this machine; simulation, validation, SR come on top",
    ]
    (zssr, _) = lines(replace(wanted, rows=choose_rows("zssr", [])))
    assert zssr == "zssr: 6 iterations on each volume, in prediction, about 10 min"
    for row in wanted.rows:
        task = row_task(wanted, dataset, row)
        replace(result(row), identity=task.identity).save(task.file)
    told = lines(wanted)
    assert [line.rpartition(": ")[2] for line in told[:-1]] == ["done"] * 3
    assert told[-1].startswith("in all about 0 s of training on this machine;")
    assert "refused" in lines(unsaid)[1] and "run.epochs 2 -> 7" in lines(unsaid)[1]
    again = lines(replace(unsaid, overwrite=True))
    assert again[0].endswith("prediction only") and "77 iterations" in again[1]


def test_under_a_budget_the_length_is_that_on_record_or_is_measured_and_not_kept(wanted, planned, result, folder):
    settings = replace(wanted.settings, budget_seconds=1600.0)
    folder.claim(settings)
    dataset = planned("truncation")
    limited = replace(wanted, settings=settings, options=RunSettings(device="cpu"), rows=choose_rows("udean", []))
    assert lines(limited)[0] == "udean: 32 iterations, about 27 min"
    assert not (folder.root / "lengths").exists()
    task = budget.within_budget(row_task(limited, dataset, limited.rows[0]), 1600.0)
    replace(result("udean"), identity=task.identity).save(task.file)
    assert lines(limited)[0] == "udean: done"
    assert of_length(task, budget.Length(1.0, 1.0, 8, 5)).iterations == 40
