"""The whole benchmark: scenario by scenario, row by row, what is left to do. Knows the order; knows no stage."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from filelock import Timeout

from udeansr.benchmark.budget import within_budget
from udeansr.benchmark.dealing import dealt, left_out
from udeansr.benchmark.request import Benchmark, check
from udeansr.benchmark.row import Row
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.row_run import do_row
from udeansr.benchmark.row_task import RowTask
from udeansr.benchmark.simulated_dataset import SimulatedDataset, prepare_dataset
from udeansr.benchmark.tables import write_tables
from udeansr.errors import UdeansrError
from udeansr.methods import METHODS

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
    for scenario, runs in dealt(benchmark.rows, benchmark.scenarios, benchmark.part):
        if rows := left_out(benchmark.rows, scenario):
            _logger.info("%s: %s", scenario.dataset, rows)
        learnt = [row.source_degradation for row, _ in runs if METHODS[row.method].players]
        dataset = prepare_dataset(
            folder, benchmark.settings, benchmark.hr, scenario, benchmark.memory_gb, learnt, benchmark.processes
        )
        for row, shown in runs:
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
