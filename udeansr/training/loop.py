"""Epochs: batches, iterations, validation, checkpoints, until the end."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from udeansr import distributed
from udeansr.batches.batch import Batch
from udeansr.batches.loader import slab_batches
from udeansr.device import memory_guard, non_finite
from udeansr.distributed import is_leader, on_leader
from udeansr.errors import UdeansrError
from udeansr.lock import LOCK_FILE, check_held
from udeansr.peak_memory import forget_peak, peak_bytes
from udeansr.training.checkpoint import (
    BEST,
    FINAL,
    LATEST,
    BestEpoch,
    Progress,
    check_space,
    random_state,
    random_state_kept,
    save_checkpoint,
)
from udeansr.training.explanations import write_explanations, write_samples
from udeansr.training.interruption import Interruption, StoppedError
from udeansr.training.log import EpochRecord, RunLog, epoch_bar, epoch_line, show_losses
from udeansr.training.loss_reader import LossReader
from udeansr.training.settings import TrainingRecord
from udeansr.training.trainer import LAST_LEARNING_RATE, Trainer, cosine_learning_rate, warm_up
from udeansr.training.validation import Split, Validator, warn_of_shift

_LESS_MEMORY = "take a smaller --batch-size, or plan for less memory: udeansr_plan_and_preprocess --memory-gb"

logger = logging.getLogger(__name__)


class TrainingLoop:
    """One call of training, from where its progress stands to its last epoch or the end of its time.

    Several processes (:mod:`udeansr.distributed`) run it in step; the leader alone validates and writes.
    """

    def __init__(
        self,
        trainer: Trainer,
        split: Split,
        validator: Validator,
        log: RunLog | None,
        folder: Path,
        record: TrainingRecord,
    ) -> None:
        """Keep what it works with.

        Args:
            trainer: with the method, as begun or as loaded.
            split: who trains.
            validator: gives each epoch its scores.
            log: takes each epoch's record; the leader's.
            folder: for the checkpoints.
            record: what is trained and how, its run resolved.
        """
        run = record.run
        assert run.epochs and run.iterations_per_epoch, "settings are not resolved"
        assert run.batch_size and run.learning_rate, "settings are not resolved"
        self._epochs, self._length, self._learning_rate = run.epochs, run.iterations_per_epoch, run.learning_rate
        self._trainer, self._split, self._run = trainer, split, run
        self._share = distributed.share_of_batch(run.batch_size)
        self._validator, self._log, self._folder, self._record = validator, log, folder, record
        self._progress = Progress()
        self._losses = LossReader()
        self._interruption = Interruption()
        self._begun = self._last_saved = time.monotonic()
        self._seconds_before = 0.0
        self._validation_seconds = 0.0
        self._times = {"computing": 0.0, "waiting": 0.0}

    def load_progress(self, progress: Progress) -> None:
        """Go on from the progress of a checkpoint."""
        self._progress = replace(progress, losses=dict(progress.losses))
        self._seconds_before = progress.seconds

    def run(self) -> Path:
        """Train; returns the path of ``final.pt``.

        Raises:
            UdeansrError: if a loss is not finite.
            StoppedError: on SIGINT or SIGTERM, with ``latest.pt`` written.
        """
        progress = self._progress
        logger.info("%s", self._validator.rule)
        with self._interruption:
            try:
                if progress.iteration == 0:
                    self._save(LATEST)
                on_leader(lambda: check_space(self._folder))
                if progress.iteration == 0:
                    self._validate_first()
                batches = slab_batches(
                    self._split.train_hr,
                    self._split.train_lr,
                    self._record.planned.changed(batch_size=self._run.batch_size),
                    seed=self._run.seed,
                    first=progress.iteration,
                    count=self._epochs * self._length - progress.iteration,
                    share=self._share,
                    workers=self._run.workers,
                    augment=bool(self._run.augment),
                    degraded=self._trainer.method.uses_degraded,
                    pin_memory=self._trainer.device.type == "cuda",
                )
                with closing(batches):  # type: ignore[type-var]
                    while progress.epoch < self._epochs:
                        self._epoch(batches)
                        if self._agreed()[0]:
                            logger.info("the %g minutes of this call are over", self._run.max_minutes)
                            break
            except StoppedError as stop:
                self._save(LATEST)
                raise StoppedError(
                    stop.signal_number,
                    f"stopped after iteration {progress.iteration}; {self._folder / LATEST} is written, "
                    "go on with the same command and --continue",
                ) from None
        self._save(FINAL)
        return self._folder / FINAL

    def _epoch(self, batches: Iterator[Batch]) -> None:
        """Finish the epoch that is under way, or as much of it as there is time for; validate, save."""
        progress = self._progress
        starts = self._trainer.method.stage_starts
        learning_rate = cosine_learning_rate(progress.epoch, self._epochs, self._learning_rate, stage_starts=starts)
        self._times = {"computing": 0.0, "waiting": 0.0}
        forget_peak(self._trainer.device)
        done = progress.iteration - progress.epoch * self._length
        with epoch_bar(progress.epoch + 1, self._epochs, done, self._length) as bar:
            while done < self._length:
                self._trainer.set_learning_rate(
                    learning_rate * warm_up(progress.iteration, self._epochs * self._length)
                )
                self._iteration(batches)
                done += 1
                bar.update()
                if self._losses.is_due() and (losses := self._read_losses()):
                    show_losses(bar, losses)
                time_is_over, is_due = self._agreed()
                if time_is_over:
                    break
                if is_due:
                    self._save(LATEST)
        self._read_losses()
        scores = self._validate()
        whole = done == self._length
        means = {name: total / done for name, total in progress.losses.items()}
        on_leader(lambda: self._log_epoch(progress.epoch + 1, done, means, scores, learning_rate))
        best = progress.best
        is_best = math.isfinite(scores["score"]) and (best is None or scores["score"] > best.score)
        if is_best:
            progress.best = BestEpoch(progress.epoch + 1, scores["score"])
        if whole:
            progress.epoch += 1
            progress.losses = {}
        if is_best:
            self._save(BEST)
        on_leader(self._explain_at_the_end_of_a_stage)
        self._save(LATEST)  # last, so that whatever is missing when this is killed is made again

    def _explain_at_the_end_of_a_stage(self) -> None:
        """Keep and draw what the averaged weights have to show, when a stage or the whole training is over."""
        method, total = self._trainer.method, self._epochs * self._length
        stage, method.progress = method.stage, self._progress.iteration / total
        if method.stage == stage and self._progress.iteration < total:
            return
        with random_state_kept(), self._trainer.averaged() as averaged:
            trainer = self._trainer
            drawn = write_explanations(averaged, self._split, trainer.device, trainer.precision, self._folder)
        for path in drawn:
            logger.info("%s: what the method has learnt to see", path)

    def _iteration(self, batches: Iterator[Batch]) -> None:
        """One batch and what is learnt from it; the next is drawn while a device that is not the CPU computes."""
        progress = self._progress
        start = time.perf_counter()
        batch = next(batches)
        received = time.perf_counter()
        self._trainer.method.progress = progress.iteration / (self._epochs * self._length)
        distributed.seed_share(self._run.seed, progress.iteration)
        with memory_guard(self._trainer.device, f"{len(batch.lr)} slabs of each cohort in a batch", _LESS_MEMORY):
            losses = self._trainer.play(batch, progress.iteration)
        progress.iteration += 1
        self._losses.add(progress.iteration, losses)
        self._times["waiting"] += received - start
        self._times["computing"] += time.perf_counter() - received

    def _read_losses(self) -> dict[str, float]:
        """Add what was lost since the last reading to the sums of the epoch; the last iteration's losses, if any."""
        start = time.perf_counter()
        losses: dict[str, float] = {}
        for iteration, losses in self._losses.read():
            if (trouble := non_finite(losses)) and is_leader():
                raise self._spoilt(trouble, iteration)
            for name, loss in losses.items():
                self._progress.losses[name] = self._progress.losses.get(name, 0.0) + loss
        self._times["computing"] += time.perf_counter() - start
        return losses

    def _agreed(self) -> tuple[bool, bool]:
        """What all processes do next: whether time is over, and whether a checkpoint is due.

        Raises:
            StoppedError: if one of them was told to stop.
        """
        is_due = time.monotonic() - self._last_saved > 60 * self._run.checkpoint_minutes
        own = (self._time_is_over(), is_due) if is_leader() else (False, False)
        signal_number, *agreed = distributed.agree((self._interruption.signal_number or 0, *map(int, own)))
        if signal_number:
            raise StoppedError(signal_number)
        return bool(agreed[0]), bool(agreed[1])

    def _validate(self) -> dict[str, Any]:
        """Scores of the averaged weights; nothing that training goes on with is changed."""
        return on_leader(self._score)

    def _score(self) -> dict[str, Any]:
        start = time.monotonic()
        with random_state_kept(), self._trainer.averaged() as method:
            scores = self._validator(method, self._interruption.check)
        self._validation_seconds = time.monotonic() - start
        return scores

    def _validate_first(self) -> None:
        """Scores before any training, and of tricubic, to compare with; they make no checkpoint the best."""
        reference = on_leader(self._validator.tricubic)
        if reference:
            logger.info("tricubic, to compare with: PSNR %.2f dB, SSIM %.4f", reference["psnr"], reference["ssim"])
        scores = self._validate()
        scores |= {f"tricubic_{name}": value for name, value in reference.items()}
        on_leader(lambda: self._log_epoch(0, 0, {}, scores, self._learning_rate))

    def _log_epoch(
        self, epoch: int, iterations: int, losses: dict[str, float], scores: dict[str, Any], learning_rate: float
    ) -> None:
        assert self._log is not None, "the leader has no log"
        times = {**self._times, "validation": self._validation_seconds}
        rounded = {name: round(seconds, 3) for name, seconds in times.items()}
        peak = peak_bytes(self._trainer.device)
        entry = EpochRecord(epoch, iterations, losses, scores, learning_rate, rounded, peak and peak / 1e9)
        self._log.record(entry)
        logger.info("%s", epoch_line(entry, self._epochs, self._seconds_left()))
        write_samples(self._validator, epoch, self._epochs, self._record.plan.orientation, self._folder)
        if epoch:
            warn_of_shift(scores)

    def _save(self, name: str) -> None:
        """Write a checkpoint, unless the weights are spoilt: the last good one stays."""
        on_leader(lambda: self._write(name))

    def _write(self, name: str) -> None:
        self._read_losses()
        if not self._trainer.is_finite():
            raise self._spoilt("a weight is not finite", self._progress.iteration)
        check_held(self._folder / LOCK_FILE)
        now = time.monotonic()
        self._progress.seconds = self._seconds_before + now - self._begun
        schedule = {
            "name": "cosine",
            "learning_rate": self._learning_rate,
            "last_learning_rate": LAST_LEARNING_RATE,
            "epochs": self._epochs,
        }
        parts = {"schedule": schedule, "random": random_state(), "progress": asdict(self._progress)}
        save_checkpoint(self._folder / name, {**self._record.as_dict(), **self._trainer.state_dict(), **parts})
        self._last_saved = now

    def _seconds_left(self) -> float:
        """What this call may still take."""
        if self._run.max_minutes is None:
            return math.inf
        return 60 * self._run.max_minutes - (time.monotonic() - self._begun)

    def _time_is_over(self) -> bool:
        """Whether this call has no time left but for one more validation."""
        return self._seconds_left() <= self._validation_seconds

    def _spoilt(self, trouble: str, iteration: int) -> UdeansrError:
        return UdeansrError(
            f"iteration {iteration}: {trouble}, so training stopped. The last good checkpoint is "
            f"{self._folder / LATEST}. Go on from it with --continue --clip 1 or --continue --precision fp32, "
            f"or begin again with --overwrite --learning-rate {self._learning_rate / 10:g}"
        )
