"""A training as it would begin, played for a while at several places of its length, with a clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from udeansr.batches.batch import Batch
from udeansr.batches.loader import slab_batches
from udeansr.device import choose_device, choose_precision, memory_guard, wait_for
from udeansr.errors import UdeansrError
from udeansr.methods import method_type
from udeansr.planning.plan import Plan
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.speed.flop import flop_of_iteration
from udeansr.speed.live_tensors import peak_of_iterations
from udeansr.speed.phases import AVERAGE, COPY, LOAD, OPTIMISERS, PhaseClock, watched
from udeansr.speed.plain_step import PlainTrainer
from udeansr.strict_json import as_json
from udeansr.training.checkpoint import LATEST, Progress, random_state, save_checkpoint
from udeansr.training.log import EpochRecord, RunLog
from udeansr.training.settings import RunSettings, TrainingRecord
from udeansr.training.timing import PLACES
from udeansr.training.train import build_trainer, first_method, training_split
from udeansr.training.trainer import Trainer
from udeansr.training.validation import Validator

PROGRESSES = tuple((place + 0.5) / PLACES for place in range(PLACES))
"""Parts of the training that are done where it is played: methods in stages do not cost the same throughout."""

WINDOW_SECONDS, LONGEST_WINDOW = 0.3, 50
"""An iteration that is shorter is played several times at a place, but no more often than this."""

MANY = 10**9
"""Batches, more than are asked for."""


@dataclass(frozen=True)
class Variant:
    """How a training is run.

    Attributes:
        settings: of the method.
        run: how to run; None takes the plan's value.
        plain: whether its step is the textbook's, see :mod:`udeansr.speed.plain_step`.
    """

    settings: Any
    run: RunSettings
    plain: bool = False


class MeasuredTraining:
    """A training with its batches; close it to end those who make them.

    Attributes:
        run: resolved.
        device, precision: on which and in which it computes.
        flop: of an iteration, see :func:`udeansr.speed.flop.flop_of_iteration`.
    """

    def __init__(self, folder: Path, plan: Plan, configuration_name: str, method_name: str, variant: Variant) -> None:
        """Begin a training.

        Args:
            folder: ``<preprocessed root>/<dataset>``.
            plan: the dataset's.
            configuration_name: one of the plan's.
            method_name: one that learns from cohorts.
            variant: how it is run.
        Raises:
            UdeansrError: as training does; and if the method learns in prediction, or not at all.
        """
        kind = method_type(method_name)
        if kind.is_zero_shot or not kind.needs_cohort or not kind.players:
            raise UdeansrError(
                f"{method_name} is not trained on a dataset; expected a method that udeansr_train trains"
            )
        configuration = plan.configuration(configuration_name)
        self.run = run = variant.run.resolved(configuration, kind)
        self.device = choose_device(run.device)
        self.precision = choose_precision(run.precision, self.device)
        dataset = PreprocessedDataset.open(folder, configuration)

        method = first_method(method_name, configuration, variant.settings, dataset, run)
        self._record = TrainingRecord(plan, configuration_name, method_name, as_json(variant.settings), run)
        self._split = training_split(dataset, method, self._record)
        self._batches = slab_batches(
            self._split.train_hr,
            self._split.train_lr,
            configuration.changed(batch_size=run.batch_size),
            seed=run.seed,
            first=0,
            count=MANY,
            workers=run.workers,
            augment=bool(run.augment),
            degraded=method.uses_degraded,
            pin_memory=self.device.type == "cuda",
        )
        first = next(self._batches)
        self.flop = flop_of_iteration(method, run, first, PROGRESSES)

        def begin() -> Trainer | PlainTrainer:
            step = PlainTrainer if variant.plain else build_trainer
            method = first_method(method_name, configuration, variant.settings, dataset, run)
            return step(method, run, self.device, self.precision)

        self._begin, self._trainer = begin, begin()
        self._there = first.to(self.device)
        self._count, self._window = 0, 0

    def __enter__(self) -> MeasuredTraining:
        """It is open from the beginning."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self._batches.close()

    def seconds_on_device(self) -> float:
        """The mean over the training of what an iteration takes with a batch that is on the device already."""
        return self._mean_seconds(lambda: self._there)

    def seconds(self) -> float:
        """The mean over the training of what an iteration takes, its batch included."""
        for _ in range(2 * self.run.workers):  # what they made ahead, while nobody asked
            self._play(next(self._batches))
        return self._mean_seconds(lambda: next(self._batches))

    def seconds_of_batches(self) -> float:
        """What the loader takes for a batch where nobody else works."""
        for _ in range(2 * self.run.workers):
            next(self._batches)
        count, begun = 0, time.perf_counter()
        while count < 4 or time.perf_counter() - begun < WINDOW_SECONDS:
            next(self._batches)
            count += 1
        return (time.perf_counter() - begun) / count

    def bytes_of_tensors(self) -> int | None:
        """The most bytes of tensors that a training like this has alive at once; None where networks are compiled."""
        if self.run.compile:
            return None
        with memory_guard(self.device, "a second training beside the one that is timed", "take a smaller batch"):
            return peak_of_iterations(self._begin, self._there, PROGRESSES)[1]

    def phases(self) -> tuple[dict[str, float], float]:
        """The mean over the training of the seconds of each phase of an iteration, and of all of it."""
        clock, whole = PhaseClock(self.device), 0.0
        for progress in PROGRESSES:
            self._trainer.method.progress = progress
            self._play(self._there)
            with watched(self._trainer.method, clock, apart=not self.run.compile):
                begun = time.perf_counter()
                clock.begin()
                batch = next(self._batches)
                clock.end(LOAD)
                batch = batch.to(self.device)
                clock.end(COPY)
                self._play(batch)
                clock.end(AVERAGE)
                whole += time.perf_counter() - begun
        count = len(PROGRESSES)
        means = {phase: seconds / count for phase, seconds in clock.seconds.items()}
        return dict(sorted(means.items(), key=lambda mean: mean[0] in (OPTIMISERS, AVERAGE))), whole / count

    def seconds_of_validation(self) -> float:
        """What the validation of an epoch takes.

        Raises:
            ValueError: if the step is the textbook's.
        """
        if isinstance(self._trainer, PlainTrainer):
            raise ValueError("a plain step is not validated")
        factors = self._record.planned.task.factors
        validator = Validator(self._split, factors, self.device, self.precision)
        begun = time.perf_counter()
        with self._trainer.averaged() as method:
            validator(method)
        return time.perf_counter() - begun

    def seconds_of_record(self) -> float:
        """What the checkpoint and the picture of an epoch take.

        Raises:
            ValueError: if the step is the textbook's.
        """
        if isinstance(self._trainer, PlainTrainer):
            raise ValueError("a plain step keeps nothing")
        state = {**self._record.as_dict(), **self._trainer.state_dict()}
        state |= {"schedule": {}, "random": random_state(), "progress": vars(Progress())}
        with TemporaryDirectory() as name, RunLog(Path(name), -1, False) as log:
            log.record(EpochRecord(0, 0, {}, {}, 0.0, {}))  # the first picture brings its fonts along
            begun = time.perf_counter()
            save_checkpoint(Path(name) / LATEST, state)
            log.record(EpochRecord(1, 1, {}, {}, 0.0, {}))
            return time.perf_counter() - begun

    def _mean_seconds(self, batch: Callable[[], Batch]) -> float:
        """The mean over the places; the first iteration of each is not counted."""
        means = []
        for progress in PROGRESSES:
            self._trainer.method.progress = progress
            begun = time.perf_counter()
            self._play(batch())
            wait_for(self.device)
            if not self._window or progress == PROGRESSES[0]:
                once = time.perf_counter() - begun
                self._window = max(1, min(LONGEST_WINDOW, math.ceil(WINDOW_SECONDS / once)))
            begun = time.perf_counter()
            for _ in range(self._window):
                self._play(batch())
            wait_for(self.device)
            means.append((time.perf_counter() - begun) / self._window)
        return sum(means) / len(means)

    def _play(self, batch: Batch) -> None:
        with memory_guard(self.device, f"{len(batch.lr)} slabs of each cohort in a batch", "take a smaller batch"):
            self._trainer.play(batch, self._count)
        self._count += 1
