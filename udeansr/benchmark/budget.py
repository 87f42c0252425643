"""How long a row is trained where all are given the same seconds, by what an iteration costs on this machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from udeansr.batches.batch import Batch
from udeansr.batches.loader import slab_batches
from udeansr.benchmark.row_task import RowTask
from udeansr.device import choose_device, choose_precision
from udeansr.errors import UdeansrError
from udeansr.methods import build_method
from udeansr.methods.method import Method
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.configuration import Configuration
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.strict_json import PositiveFloat, PositiveInt, read_json_as, write_json
from udeansr.training.checkpoint import random_state_kept
from udeansr.training.trainer import Trainer

PLACES = 6
"""Places in a training, evenly apart, at which it is timed: methods in stages do not cost the same throughout."""

UNTIMED, TIMED = 1, 2
"""Iterations at each place that warm up, and that are timed."""

_logger = logging.getLogger(__name__)


def seconds_per_iteration(task: RowTask) -> float:
    """The mean over a training of what an iteration takes, its batch included, validation left out; trains nothing.

    Slabs are drawn from the dataset's arrays; before those are made, random ones of their shape are taken.

    Args:
        task: a row that learns, in its dataset.
    Raises:
        UdeansrError: if the device or the precision is not to be had.
    """
    run = task.run
    assert run.learning_rate and run.batch_size and run.ema_decay is not None, "settings are not resolved"
    device = choose_device(run.device)
    configuration = task.configuration.changed(batch_size=run.batch_size)
    seconds = []
    with random_state_kept():
        method = build_method(task.row.method, configuration, task.settings)
        precision = choose_precision(run.precision, device)
        trainer = Trainer(
            method,
            learning_rate=run.learning_rate,
            device=device,
            precision=precision,
            clip=run.clip,
            ema_decay=run.ema_decay,
        )
        with closing(_batches(task, method, configuration)) as batches:  # type: ignore[type-var]
            for iteration in range(PLACES * (UNTIMED + TIMED)):
                place, number = divmod(iteration, UNTIMED + TIMED)
                method.progress = (place + 0.5) / PLACES
                begun = time.perf_counter()
                trainer.play(next(batches), iteration)
                if number >= UNTIMED:
                    seconds.append(time.perf_counter() - begun)
    mean = sum(seconds) / len(seconds)
    _logger.info("%s %s: %.3f seconds an iteration", task.dataset.name, task.row.name, mean)
    return mean


def _batches(task: RowTask, method: Method, configuration: Configuration) -> Iterator[Batch]:
    """As many batches as are asked for."""
    count = PLACES * (UNTIMED + TIMED)
    try:
        dataset = PreprocessedDataset.open(task.dataset.preprocessed, task.configuration)
    except UdeansrError:
        return (random_batch(configuration) for _ in range(count))
    return slab_batches(
        dataset.cases(SOURCE_HR),
        dataset.cases(TARGET_LR),
        configuration,
        seed=task.run.seed,
        first=0,
        count=count,
        augment=bool(task.run.augment),
        degraded=method.uses_degraded,
    )


def random_batch(configuration: Configuration) -> Batch:
    """A batch of noise of the shape that a configuration wants."""
    scale = configuration.task.slab_factors
    coarse = (configuration.size.batch_size, configuration.task.slab_slices, *configuration.size.patch_size)
    fine = [n * factor for n, factor in zip(coarse, (1, *scale.zyx), strict=True)]
    return Batch(hr=torch.rand(fine), lr=torch.rand(coarse), degraded=torch.rand(coarse))


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

    budget_seconds: PositiveFloat
    seconds_per_iteration: PositiveFloat
    epochs: PositiveInt
    iterations_per_epoch: PositiveInt

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
