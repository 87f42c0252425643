"""How long a row is trained where all are given the same seconds, by what an iteration costs on this machine."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from udeansr.benchmark.row_task import RowTask
from udeansr.strict_json import read_json_as, write_json
from udeansr.training import timing
from udeansr.training.timing import Length

_logger = logging.getLogger(__name__)


def seconds_per_iteration(task: RowTask) -> float:
    """The mean over a training of what an iteration takes, its batch included, validation left out; trains nothing.

    Args:
        task: a row that learns, in its dataset.
    Raises:
        UdeansrError: if the device or the precision is not to be had.
    """
    folder, row = task.dataset.preprocessed, task.row
    mean = timing.seconds_per_iteration(folder, task.configuration, row.method, task.settings, task.run)
    _logger.info("%s %s: %.3f seconds an iteration", task.dataset.name, row.name, mean)
    return mean


def within_budget(task: RowTask, budget_seconds: float | None, anew: bool = False) -> RowTask:
    """The row with the length that the budget allows: as on record, else as measured now and put on record.

    Args:
        task: a row in its dataset.
        budget_seconds: None takes the length that the options and the plan say.
        anew: whether to measure again, whatever is on record.
    Raises:
        UdeansrError: if the record cannot be read, or the device is not to be had.
    """
    if budget_seconds is None or not task.learns:
        return task
    path = length_file(task)
    if anew or not path.is_file():
        write_json(measured(task, budget_seconds), path)
    return of_length(task, load_length(path))


def load_length(path: Path) -> Length:
    """The length that is on record.

    Raises:
        UdeansrError: if it is no length of a training.
    """
    return read_json_as(Length, path, "length of a training", "udeansr_benchmark --budget-seconds")


def length_file(task: RowTask) -> Path:
    """Where the length of a row's training lies."""
    return task.folder.length_file(task.dataset.name, task.row.name)


def measured(task: RowTask, budget_seconds: float) -> Length:
    """The length that fits the budget by a measure taken now."""
    return Length.fitting(budget_seconds, seconds_per_iteration(task), task.configuration.size.iterations_per_epoch)


def of_length(task: RowTask, length: Length) -> RowTask:
    """The same row, trained so long."""
    options = replace(task.options, epochs=length.epochs, iterations_per_epoch=length.iterations_per_epoch)
    return replace(task, options=options)
