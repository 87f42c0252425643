from dataclasses import replace

import pytest

from udeansr.benchmark.bench import Benchmark, row_task
from udeansr.benchmark.row import parse_row
from udeansr.benchmark.rows import choose_rows
from udeansr.benchmark.scenario import Scenario
from udeansr.benchmark.work_left import work_left
from udeansr.training.settings import RunSettings


@pytest.fixture
def wanted(folder, settings, tmp_path):
    rows = choose_rows("tricubic,supervised_truncation,oracle", ["longer=udean:run.epochs=5"])
    options = RunSettings(epochs=2, iterations_per_epoch=3, device="cpu")
    scenario = Scenario("x2x2x1", "unpaired", "truncation", 1)
    return Benchmark(tmp_path / "hr", folder, settings, (scenario,), rows, "test", options)


def test_before_anything_is_there_it_is_told_what_the_options_say(wanted, folder):
    assert list(work_left(wanted)) == [
        "x2x2x1 unpaired truncation seed 1: tricubic: prediction only",
        "x2x2x1 unpaired truncation seed 1: supervised_truncation, shown as well as oracle: 6 iterations",
        "x2x2x1 unpaired truncation seed 1: longer: 15 iterations",
    ]
    unsaid = replace(wanted, options=RunSettings(device="cpu"))
    assert list(work_left(unsaid))[1].endswith("oracle: iterations as planned")
    (line,) = work_left(replace(wanted, rows=choose_rows("zssr", [])))
    assert line.endswith("zssr: 6 iterations on each volume, in prediction")
    named = replace(wanted, rows=(parse_row("named=supervised:pairs=named"),))
    (line,) = work_left(named)
    assert line.startswith("x2x2x1 unpaired truncation seed 1: named: left out, as LR and HR are of different people")
    assert not folder.root.exists()


def test_what_is_planned_done_or_of_other_values_is_told(wanted, planned, result, folder):
    folder.claim(wanted.settings)
    dataset = planned("truncation")
    unsaid = replace(wanted, options=RunSettings(device="cpu"))
    assert list(work_left(unsaid))[1].endswith("oracle: 77 iterations")
    for row in wanted.rows:
        task = row_task(wanted, dataset, row)
        replace(result(row), identity=task.identity).save(task.file)
    assert [line.rpartition(": ")[2] for line in work_left(wanted)] == ["done"] * 3
    assert "refused" in list(work_left(unsaid))[1] and "run.epochs 2 -> 7" in list(work_left(unsaid))[1]
    again = list(work_left(replace(unsaid, overwrite=True)))
    assert again[0].endswith("prediction only") and again[1].endswith("77 iterations")
