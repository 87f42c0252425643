"""What an iteration of a training takes on this machine, and how long a training may be that has to fit a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from udeansr import distributed
from udeansr.batches.batch import Batch
from udeansr.batches.loader import slab_batches
from udeansr.device import choose_device, choose_precision, wait_for
from udeansr.errors import UdeansrError
from udeansr.methods import build_method, method_type
from udeansr.methods.method import Method
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.configuration import Configuration
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.strict_json import PositiveFloat, PositiveInt
from udeansr.training.checkpoint import random_state_kept
from udeansr.training.settings import RunSettings
from udeansr.training.trainer import Trainer

PLACES = 6
"""Places in a training, evenly apart, at which it is timed: methods in stages do not cost the same throughout."""

UNTIMED, TIMED = 1, 2
"""Iterations at each place that warm up, and that are timed."""

FEWEST_EPOCHS = 8
"""The learning rate falls from epoch to epoch, and stages begin with one."""

_logger = logging.getLogger(__name__)


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
            seconds_per_iteration: of the training.
            longest_epoch: iterations of an epoch where the training is long.
        """
        iterations = budget_seconds / seconds_per_iteration
        epochs = max(FEWEST_EPOCHS, round(iterations / longest_epoch))
        return cls(budget_seconds, seconds_per_iteration, epochs, max(1, round(iterations / epochs)))


def seconds_per_iteration(
    preprocessed_folder: Path, configuration: Configuration, method_name: str, settings: Any, run: RunSettings
) -> float:
    """The mean over a training of what an iteration takes, its batch included, validation left out; trains nothing.

    Slabs are drawn from the dataset's arrays; before those are made, random ones of their shape are taken.

    Args:
        preprocessed_folder: ``<preprocessed root>/<dataset>``; it need not be there.
        configuration: what is trained.
        method_name: one of ``METHODS`` that learns.
        settings: the method's, of its ``settings_type``.
        run: resolved.
    Raises:
        UdeansrError: if the device or the precision is not to be had.
    """
    assert run.learning_rate and run.batch_size and run.ema_decay is not None, "settings are not resolved"
    device = distributed.own_device(choose_device(run.device))
    configuration = configuration.changed(batch_size=run.batch_size)
    seconds = []
    with random_state_kept():
        method = build_method(method_name, configuration, settings)
        precision = choose_precision(run.precision, device)
        trainer = Trainer(
            method,
            learning_rate=run.learning_rate,
            device=device,
            precision=precision,
            clip=run.clip,
            ema_decay=run.ema_decay,
        )
        with closing(_batches(preprocessed_folder, method, configuration, run)) as batches:  # type: ignore[type-var]
            for iteration in range(PLACES * (UNTIMED + TIMED)):
                place, number = divmod(iteration, UNTIMED + TIMED)
                method.progress = (place + 0.5) / PLACES
                begun = time.perf_counter()
                trainer.play(next(batches), iteration)
                wait_for(device)
                if number >= UNTIMED:
                    seconds.append(time.perf_counter() - begun)
    return sum(seconds) / len(seconds)


def of_minutes(
    preprocessed_folder: Path, configuration: Configuration, method_name: str, settings: Any, run: RunSettings
) -> RunSettings:
    """The run with the epochs and iterations that take its ``minutes`` here, validation left out.

    Args:
        preprocessed_folder: ``<preprocessed root>/<dataset>``.
        configuration: what is trained.
        method_name: one of ``METHODS``.
        settings: the method's, of its ``settings_type``.
        run: with ``minutes`` and without ``epochs``; one that has ``epochs`` comes back as it is, and so does that of
            a method that learns nothing.
    Raises:
        UdeansrError: if the device or the precision is not to be had.
    """
    if run.minutes is None or run.epochs is not None or not method_type(method_name).players:
        return run
    resolved = run.resolved(configuration, method_type(method_name))
    each = seconds_per_iteration(preprocessed_folder, configuration, method_name, settings, resolved)
    assert resolved.iterations_per_epoch is not None
    each = distributed.on_leader(lambda: each)
    length = Length.fitting(60 * run.minutes, each, resolved.iterations_per_epoch)
    _logger.info("an iteration takes %.3g seconds here, batch included", each)
    return replace(run, epochs=length.epochs, iterations_per_epoch=length.iterations_per_epoch)


def random_batch(configuration: Configuration) -> Batch:
    """A batch of noise of the shape that a configuration wants."""
    scale = configuration.task.slab_factors
    coarse = (configuration.size.batch_size, configuration.task.slab_slices, *configuration.size.patch_size)
    fine = [n * factor for n, factor in zip(coarse, (1, *scale.zyx), strict=True)]
    return Batch(hr=torch.rand(fine), lr=torch.rand(coarse), degraded=torch.rand(coarse))


def _batches(folder: Path, method: Method, configuration: Configuration, run: RunSettings) -> Iterator[Batch]:
    """As many batches as are asked for."""
    count, share = PLACES * (UNTIMED + TIMED), distributed.share_of_batch(configuration.size.batch_size)
    try:
        dataset = PreprocessedDataset.open(folder, configuration)
    except UdeansrError:
        configuration = configuration.changed(batch_size=len(share))
        return (random_batch(configuration) for _ in range(count))
    return slab_batches(
        dataset.cases(SOURCE_HR),
        dataset.cases(TARGET_LR),
        configuration,
        seed=run.seed,
        first=0,
        count=count,
        share=share,
        augment=bool(run.augment),
        degraded=method.uses_degraded,
    )
