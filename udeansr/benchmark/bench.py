"""The whole benchmark: what a command asks for, whether it can be done, and doing what is left to do."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from udeansr.benchmark.budget import within_budget
from udeansr.benchmark.dataset import SimulatedDataset, check_scored, given_scans, is_dataset, prepare_dataset
from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.row_task import RowTask, do_row
from udeansr.benchmark.rows import Row
from udeansr.benchmark.scenario import Scenario, left_out, runs_of_part
from udeansr.benchmark.tables import write_tables
from udeansr.degradation.subjects import draw_groups, subject_of
from udeansr.device import choose_device, choose_precision
from udeansr.errors import UdeansrError
from udeansr.image.files import list_images
from udeansr.image.names import case_name
from udeansr.lock import HeldError
from udeansr.methods import method_type
from udeansr.parallel import WHOLE, Part
from udeansr.training.settings import RunSettings

SPLITS = ("test", "validation")
LENGTHS = ("epochs", "iterations_per_epoch")


@dataclass(frozen=True)
class Benchmark:
    """What a command asks for.

    Attributes:
        hr: folder of HR scans, or a raw dataset.
        folder: for all that is made.
        settings: what holds for all rows.
        scenarios: those to be done.
        rows: those to be done in each.
        split: "test" or "validation": who is scored.
        options: how to train; None takes the plan's values.
        memory_gb: what a training may take of the GPU's memory, to plan for; None for a CPU.
        processes: worker processes.
        part: of all rows in all scenarios, the one to be done.
        overwrite: whether to begin the rows again, whatever there is of them.
    """

    hr: Path
    folder: BenchmarkFolder
    settings: BenchmarkSettings
    scenarios: tuple[Scenario, ...]
    rows: tuple[Row, ...]
    split: str
    options: RunSettings
    memory_gb: float | None = None
    processes: int = 1
    part: Part = WHOLE
    overwrite: bool = False


def scan_names(hr: Path) -> tuple[str, ...]:
    """The names of the scans of a folder, or of a raw dataset, sorted.

    Raises:
        UdeansrError: if there is no image.
    """
    if is_dataset(hr):
        return given_scans(hr)
    return tuple(sorted(case_name(path) for path in list_images(hr)))


def check(benchmark: Benchmark) -> None:
    """Refuse what cannot be done; changes nothing.

    Raises:
        UdeansrError: if the split, the budget or the device is none, there is no row, subjects are too few, or the
             folder is another benchmark's.
    """
    if not benchmark.rows:
        raise UdeansrError("there is nothing to do without a row; give --rows")
    if benchmark.split not in SPLITS:
        raise UdeansrError(f"--split {benchmark.split}: there is no such split; expected {' or '.join(SPLITS)}")
    if benchmark.settings.budget_seconds is not None:
        _check_budget(benchmark)
    choose_precision(benchmark.options.precision, choose_device(benchmark.options.device))
    settings = benchmark.settings
    if any(scenario.given for scenario in benchmark.scenarios):
        _check_given(benchmark)
    subjects = sorted({subject_of(name) for name in settings.scans})
    for scenario in (scenario for scenario in benchmark.scenarios if not scenario.given):
        groups = draw_groups(subjects, scenario.counts(settings.counts), scenario.pairing, scenario.seed)
        if not groups[benchmark.split]:
            raise UdeansrError(f"--{benchmark.split} is 0, so that nobody can be scored; expected at least 1")
    benchmark.folder.check(settings)


def _check_given(benchmark: Benchmark) -> None:
    """Refuse a dataset that cannot be scored on, and numbers of subjects beside its own."""
    check_scored(benchmark.hr, benchmark.split)
    counts = benchmark.settings.counts
    for group in ("source", "target", "validation", "test"):
        if getattr(counts, group) is not None:
            raise UdeansrError(f"--{group}: {benchmark.hr} is a dataset and has its subjects; leave it out")


def _check_budget(benchmark: Benchmark) -> None:
    """Refuse a budget that is none, and lengths beside it."""
    seconds, options = benchmark.settings.budget_seconds, benchmark.options
    if seconds is None or not 0 < seconds < math.inf:
        raise UdeansrError(f"--budget-seconds is {seconds}; expected a number above 0")
    named = [f"--{name.replace('_', '-')}" for name in LENGTHS if getattr(options, name) is not None]
    named += [f"run.{name} of row {row.name}" for row in benchmark.rows for name in LENGTHS if name in row.run]
    if named:
        raise UdeansrError(f"{named[0]}: with --budget-seconds the seconds say how long it is trained; leave one out")


_logger = logging.getLogger(__name__)


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
    for scenario, runs in runs_of_part(benchmark.rows, benchmark.scenarios, benchmark.part):
        if rows := left_out(benchmark.rows, scenario):
            _logger.info("%s: %s", scenario.dataset, rows)
        learnt = [row.source_degradation for row, _ in runs if method_type(row.method).players]
        dataset = prepare_dataset(
            folder, benchmark.settings, benchmark.hr, scenario, benchmark.memory_gb, learnt, benchmark.processes
        )
        for row, same in runs:
            task = row_task(benchmark, dataset, row)
            label = f"{dataset.name} {row.name}"
            try:
                with folder.lock(f"{dataset.name}.{row.name}", wait=False):
                    task = within_budget(task, benchmark.settings.budget_seconds, benchmark.overwrite)
                    was_done = _finish(task, same, benchmark.overwrite)
            except HeldError as held:
                _logger.info("%s: left to another process (%s)", label, held)
                elsewhere.append(label)
            except UdeansrError as error:
                _logger.error("%s: %s", label, error)
                failed.append(label)
            else:
                (there if was_done else done).append(label)
                if not was_done:
                    write_tables(folder)
    return Outcome(tuple(done), tuple(there), tuple(elsewhere), tuple(failed))


def row_task(benchmark: Benchmark, dataset: SimulatedDataset, row: Row) -> RowTask:
    """A row of a dataset, as the benchmark wants it done."""
    return RowTask(benchmark.folder, dataset, row, benchmark.split, benchmark.options, benchmark.processes)


def _finish(task: RowTask, same: list[Row], overwrite: bool) -> bool:
    """See to a row and to those that show it; whether it was there before."""
    result = None if overwrite else task.result()
    finished = result or do_row(task, overwrite)
    for row in same:
        path = task.folder.row_file(task.dataset.name, task.split, row.name)
        if not path.is_file() or RowResult.load(path) != finished.reported_as(row):
            finished.reported_as(row).save(path)
    return result is not None
