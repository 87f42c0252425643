"""The whole benchmark: scenario by scenario, row by row, what is left to do. Knows the order; knows no stage."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from udeansr.benchmark.budget import within_budget
from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.row import Row
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.row_run import do_row
from udeansr.benchmark.row_task import RowTask
from udeansr.benchmark.rows import row_that_runs
from udeansr.benchmark.scenario import UNPAIRED, Scenario
from udeansr.benchmark.simulated_dataset import SimulatedDataset, prepare_dataset
from udeansr.benchmark.tables import write_tables
from udeansr.degradation.people import draw_groups, subject
from udeansr.errors import UdeansrError
from udeansr.image.files import case_name, list_images
from udeansr.methods import METHODS
from udeansr.training.precision import choose_device, choose_precision
from udeansr.training.settings import RunSettings

PEOPLE = ("test", "validation")
LENGTHS = ("epochs", "iterations_per_epoch")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Benchmark:
    """What a command asks for.

    Attributes:
        hr: folder of HR scans.
        folder: for all that is made.
        settings: what holds for all rows.
        scenarios: those to be done.
        rows: those to be done in each.
        people: "test" or "validation": who is scored.
        options: how to train; None takes the plan's values.
        memory_gb: what a training may take of the GPU's memory, to plan for; None for a CPU.
        processes: worker processes.
        overwrite: whether to begin the rows again, whatever there is of them.
    """

    hr: Path
    folder: BenchmarkFolder
    settings: BenchmarkSettings
    scenarios: tuple[Scenario, ...]
    rows: tuple[Row, ...]
    people: str
    options: RunSettings
    memory_gb: float | None = None
    processes: int = 1
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of the rows, each ``dataset row``.

    Attributes:
        done: now.
        there: done before.
        elsewhere: another process is at them.
        failed: could not be done; the reasons were logged.
    """

    done: tuple[str, ...]
    there: tuple[str, ...]
    elsewhere: tuple[str, ...]
    failed: tuple[str, ...]


def scan_names(hr: Path) -> tuple[str, ...]:
    """The names of the scans of a folder, sorted.

    Raises:
        UdeansrError: if there is no image.
    """
    return tuple(sorted(case_name(path) for path in list_images(hr)))


def check(benchmark: Benchmark) -> None:
    """Refuse what cannot be done; changes nothing.

    Raises:
        UdeansrError: if the people scored, the budget or the device is none, there is no row, people are too few, or
            the folder is another benchmark's.
    """
    if not benchmark.rows:
        raise UdeansrError("there is nothing to do without a row; give --rows")
    if benchmark.people not in PEOPLE:
        raise UdeansrError(f"--people {benchmark.people} are none; expected {' or '.join(PEOPLE)}")
    if benchmark.settings.budget_seconds is not None:
        _check_budget(benchmark)
    choose_precision(benchmark.options.precision, choose_device(benchmark.options.device))
    settings = benchmark.settings
    people = sorted({subject(name) for name in settings.scans})
    for scenario in benchmark.scenarios:
        groups = draw_groups(people, scenario.counts(settings.counts), scenario.pairing, scenario.seed)
        if not groups[benchmark.people]:
            raise UdeansrError(f"--{benchmark.people} is 0, so that nobody can be scored; expected at least 1")
    benchmark.folder.check(settings)


def _check_budget(benchmark: Benchmark) -> None:
    """Refuse a budget that is none, and lengths beside it."""
    seconds, options = benchmark.settings.budget_seconds, benchmark.options
    if seconds is None or not 0 < seconds < math.inf:
        raise UdeansrError(f"--budget-seconds is {seconds}; expected a number above 0")
    named = [f"--{name.replace('_', '-')}" for name in LENGTHS if getattr(options, name) is not None]
    named += [f"run.{name} of row {row.name}" for row in benchmark.rows for name in LENGTHS if name in row.run]
    if named:
        raise UdeansrError(f"{named[0]}: with --budget-seconds the seconds say how long it is trained; leave one out")


def run(benchmark: Benchmark) -> Outcome:
    """Do what is left to do and write the tables anew after each row; a row that fails does not stop the others.

    Raises:
        UdeansrError: as :func:`check`, or if a dataset cannot be made.
        StoppedError: on SIGINT or SIGTERM while training; the same call goes on.
    """
    check(benchmark)
    folder = benchmark.folder
    folder.claim(benchmark.settings)
    done, there, elsewhere, failed = [], [], [], []
    for scenario in benchmark.scenarios:
        shared = shared_runs(benchmark.rows, scenario)
        if rows := left_out(benchmark.rows, scenario):
            _logger.info("%s: %s", scenario.dataset, rows)
        learnt = [row.source_degradation for row, _ in shared if METHODS[row.method].players]
        dataset = prepare_dataset(
            folder, benchmark.settings, benchmark.hr, scenario, benchmark.memory_gb, learnt, benchmark.processes
        )
        for row, shown in shared:
            task = row_task(benchmark, dataset, row)
            label = f"{dataset.name} {row.name}"
            try:
                with folder.lock(f"{dataset.name}.{row.name}", wait=False):
                    task = within_budget(task, benchmark.settings.budget_seconds, benchmark.overwrite)
                    was_there = _see_to(task, shown, benchmark.overwrite)
            except Timeout:
                _logger.info("%s: left to another process, which is at it", label)
                elsewhere.append(label)
            except UdeansrError as error:
                _logger.error("%s: %s", label, error)
                failed.append(label)
            else:
                (there if was_there else done).append(label)
                if not was_there:
                    write_tables(folder)
    return Outcome(tuple(done), tuple(there), tuple(elsewhere), tuple(failed))


def shared_runs(rows: tuple[Row, ...], scenario: Scenario) -> list[tuple[Row, list[Row]]]:
    """Rows that run in a scenario, each with the other rows that show the same run."""
    shared: dict[str, tuple[Row, list[Row]]] = {}
    for row in rows:
        if not _can_run(row, scenario):
            continue
        own = row_that_runs(row, scenario.true_degradation)
        _, shown = shared.setdefault(own.name, (own, []))
        if row.name != own.name:
            shown.append(row)
    return list(shared.values())


def left_out(rows: tuple[Row, ...], scenario: Scenario) -> str:
    """Which rows cannot be run in a scenario, and why, in a line; empty if there is none."""
    names = ", ".join(row.name for row in rows if not _can_run(row, scenario))
    return names and f"{names}: left out, as LR and HR are of different people; --pairings misaligned has pairs"


def _can_run(row: Row, scenario: Scenario) -> bool:
    return not (row.needs_pairs and scenario.pairing == UNPAIRED)


def row_task(benchmark: Benchmark, dataset: SimulatedDataset, row: Row) -> RowTask:
    """A row of a dataset, as the benchmark wants it done."""
    return RowTask(benchmark.folder, dataset, row, benchmark.people, benchmark.options, benchmark.processes)


def _see_to(task: RowTask, shown: list[Row], overwrite: bool) -> bool:
    """See to a row and to those that show it; whether it was there before."""
    result = None if overwrite else task.result()
    finished = result or do_row(task, overwrite)
    for row in shown:
        path = task.folder.row_file(task.dataset.name, task.people, row.name)
        if not path.is_file() or RowResult.load(path) != finished.shown_by(row):
            finished.shown_by(row).save(path)
    return result is not None
