"""How long a row is trained where all rows are given the same seconds. Knows its file and its sum; trains nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from udeansr.benchmark.cost import seconds_per_iteration
from udeansr.benchmark.row_task import RowTask
from udeansr.planning.json_file import check_keys, read_json, write_json

FEWEST_EPOCHS = 8
"""The learning rate falls from epoch to epoch, and stages begin with one."""


@dataclass(frozen=True)
class Length:
    """The length of a training that takes the seconds of a budget.

    Attributes:
        budget_seconds: those it was made for.
        seconds_per_iteration: as measured when the training was first asked for.
        epochs, iterations_per_epoch: what follows of both.
    """

    budget_seconds: float
    seconds_per_iteration: float
    epochs: int
    iterations_per_epoch: int

    @classmethod
    def fitting(cls, budget_seconds: float, seconds_per_iteration: float, longest_epoch: int) -> Length:
        """The whole epochs of equal length that come closest to the budget.

        Args:
            budget_seconds: for the training, validation left out.
            seconds_per_iteration: of the row.
            longest_epoch: iterations of an epoch where the training is long.
        """
        iterations = budget_seconds / seconds_per_iteration
        epochs = max(FEWEST_EPOCHS, round(iterations / longest_epoch))
        return cls(budget_seconds, seconds_per_iteration, epochs, max(1, round(iterations / epochs)))

    @classmethod
    def load(cls, path: Path) -> Length:
        """Read what was measured.

        Raises:
            UdeansrError: if it is no length of a training.
        """
        values = read_json(path, "length of a training", "udeansr_benchmark --budget-seconds")
        check_keys(values, {item.name for item in fields(cls)}, str(path))
        return cls(**values)


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
        write_json(asdict(measured(task, budget_seconds)), path)
    return of_length(task, Length.load(path))


def length_file(task: RowTask) -> Path:
    """Where the length of a row's training lies."""
    return task.folder.length_file(task.dataset.name, task.row.name)


def measured(task: RowTask, budget_seconds: float) -> Length:
    """The length that fits the budget by a measure taken now."""
    return Length.fitting(budget_seconds, seconds_per_iteration(task), task.configuration.iterations_per_epoch)


def of_length(task: RowTask, length: Length) -> RowTask:
    """The same row, trained so long."""
    options = replace(task.options, epochs=length.epochs, iterations_per_epoch=length.iterations_per_epoch)
    return replace(task, options=options)
