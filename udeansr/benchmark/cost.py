"""Seconds that an iteration of a row takes on this machine. Knows the trainer and its batches; knows no budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import torch

from udeansr.batches.batch import Batch
from udeansr.batches.loader import slab_batches
from udeansr.benchmark.row_task import RowTask
from udeansr.errors import UdeansrError
from udeansr.methods import build_method
from udeansr.methods.method import Method
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.plan import Configuration
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.training.precision import choose_device, choose_precision
from udeansr.training.random_state import random_state_kept
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
    assert run.lr and run.batch_size and run.ema_decay is not None, "settings are not resolved"
    device = choose_device(run.device)
    configuration = replace(task.configuration, batch_size=run.batch_size)
    seconds = []
    with random_state_kept():
        method = build_method(task.row.method, configuration, task.settings)
        precision = choose_precision(run.precision, device)
        trainer = Trainer(method, lr=run.lr, device=device, precision=precision, clip=run.clip, ema_decay=run.ema_decay)
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
    scale = configuration.factors
    coarse = (configuration.batch_size, configuration.slab_slices, *configuration.patch_size)
    fine = [n * factor for n, factor in zip(coarse, (1, *scale.zyx), strict=True)]
    return Batch(hr=torch.rand(fine), lr=torch.rand(coarse), degraded=torch.rand(coarse))
