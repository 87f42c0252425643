"""One row of one dataset: what decides it, what there is of it already, and doing it: train, predict, score."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from udeansr.benchmark.dataset import SimulatedDataset
from udeansr.benchmark.folder import BenchmarkFolder
from udeansr.benchmark.row_result import RowIdentity, RowResult, Training
from udeansr.benchmark.rows import Row
from udeansr.errors import UdeansrError
from udeansr.evaluation.evaluate import evaluate
from udeansr.methods import build_method, load_settings, method_type
from udeansr.models.choice import ModelQuery
from udeansr.paths import Root
from udeansr.planning.configuration import Configuration
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict
from udeansr.preprocessing.preprocessed_dataset import planned_values
from udeansr.strict_json import as_json, differences
from udeansr.training.checkpoint import BEST, FINAL, LATEST, Progress, load_checkpoint
from udeansr.training.log import METRICS, read_epochs
from udeansr.training.run_folder import read_run
from udeansr.training.settings import LASTING, RunSettings, TrainingRecord
from udeansr.training.train import train

MOST_IN_PREDICTION = 3000
"""Iterations that learning on a single volume is given at most: its authors' number."""

OF_THE_RUN = (*LASTING, "epochs", "clip")
"""Of a run's settings: all that changes what is learnt. The learning rate falls over the epochs."""


@dataclass(frozen=True)
class RowTask:
    """A row that is to be done.

    Attributes:
        folder: of the benchmark.
        dataset: prepared.
        row: one that trains under its own name.
        split: "test" or "validation": who is scored.
        options: how to run what says nothing of its own.
        processes: images scored at once.
    """

    folder: BenchmarkFolder
    dataset: SimulatedDataset
    row: Row
    split: str
    options: RunSettings
    processes: int = 1

    @property
    def learns(self) -> bool:
        """Whether there is anything to train."""
        return bool(method_type(self.row.method).players)

    @property
    def is_zero_shot(self) -> bool:
        """Whether it is trained on each volume anew, in prediction."""
        return method_type(self.row.method).is_zero_shot

    @property
    def file(self) -> Path:
        """Where its result lies."""
        return self.folder.row_file(self.dataset.name, self.split, self.row.name)

    @cached_property
    def configuration(self) -> Configuration:
        """The plan's configuration with the row's source degradation."""
        return self.dataset.configuration(self.row.source_degradation)

    @cached_property
    def settings(self) -> Any:
        """The method's settings; learning in prediction is given the iterations of the other rows."""
        settings = self.row.settings
        if self.is_zero_shot:
            settings = {"iterations": min(MOST_IN_PREDICTION, self._planned_iterations), **settings}
        return load_settings(self.row.method, settings)

    @cached_property
    def run(self) -> RunSettings:
        """How it is trained: the scenario's seed, the row's own values, the plan's where nobody has any."""
        options = replace(self.options, seed=self.dataset.scenario.seed)
        return replace(options, **self.row.run).resolved(self.configuration, method_type(self.row.method))

    @property
    def training(self) -> Path:
        """Where its training lies."""
        return self.folder.training(self.dataset.name, self.configuration.name, self.row.name)

    @cached_property
    def record(self) -> TrainingRecord:
        """What is trained and how."""
        plan, settings = self.dataset.plan, as_json(self.settings)
        return TrainingRecord(plan, self.configuration.name, self.row.method, settings, self.run)

    @cached_property
    def identity(self) -> RowIdentity:
        """Everything that decides the scores; how it is computed is not among it."""
        values, configuration = self.record.lasting(OF_THE_RUN), self.configuration
        if self.learns:
            values["plan"] |= planned_values(self.dataset.plan, configuration)
        else:
            values |= {"plan": {"scale": configuration.task.scale}, "run": {}}
        return RowIdentity(subjects=self.dataset.subjects, configuration=configuration.name, **values)

    def result(self) -> RowResult | None:
        """What was done before; None if nothing was.

        Raises:
            UdeansrError: if it was done with other values, which it names.
        """
        if not self.file.is_file():
            return None
        result = RowResult.load(self.file)
        self._refuse_changes(self.file, as_json(result.identity), as_json(self.identity))
        return result

    @property
    def iterations(self) -> int:
        """Iterations of its training in all, or on each volume in prediction; 0 for a method that learns nothing."""
        if self.is_zero_shot:
            return self.settings.iterations
        return self._planned_iterations if self.learns else 0

    @property
    def _planned_iterations(self) -> int:
        assert self.run.epochs and self.run.iterations_per_epoch, "settings are not resolved"
        return self.run.epochs * self.run.iterations_per_epoch

    def iterations_left(self) -> int:
        """Those that are to be done.

        Raises:
            UdeansrError: if there is a training of other values.
        """
        if not self.learns or not (self.training / LATEST).is_file():
            return self.iterations
        state, where = load_checkpoint(self.training / LATEST), str(self.training)
        former = TrainingRecord.from_dict(state, where)
        self._refuse_changes(self.training, former.lasting(OF_THE_RUN), self.record.lasting(OF_THE_RUN))
        return self.iterations - Progress.from_dict(state, where).iteration

    def _refuse_changes(self, path: Path, former: dict[str, Any], now: dict[str, Any]) -> None:
        """Refuse what was made with other values than this row's."""
        changes = [str(difference) for difference in differences(former, now)]
        if changes:
            raise UdeansrError(
                f"{path}: was made with other values: {', '.join(changes)}. "
                "Do it again with --overwrite, or give the row another name"
            )


_logger = logging.getLogger(__name__)


def do_row(task: RowTask, overwrite: bool = False) -> RowResult:
    """Train what is left to train, predict, score, write the result.

    Args:
        task: the row, in its dataset.
        overwrite: begin again, whatever there is.
    Raises:
        UdeansrError: if a stage refuses, or there is a training of other values.
        StoppedError: on SIGINT or SIGTERM while training.
    """
    training = _trained(task, overwrite) if task.learns else None
    sr = task.folder.sr(task.dataset.name, task.split, task.row.name)
    results = Root(task.folder.root / "results", "--results")
    if training is not None:
        query = ModelQuery(results, path=task.training, checkpoint=training.checkpoint)
    else:
        query = ModelQuery(results, method=task.row.method, scale=task.configuration.task.factors)
    _logger.info("%s %s: predicting %s subjects", task.dataset.name, task.row.name, task.split)
    begun = time.perf_counter()
    # Nobody knows of SR that is there already whether this model made it.
    outcome = predict(
        task.dataset.raw / f"{task.split}LR",
        sr,
        query,
        Options(device=task.options.device, precision=task.options.precision, stride=1, mode="overwrite"),
    )
    if outcome.failed:
        raise UdeansrError(str(outcome))
    seconds = round((time.perf_counter() - begun) / len(outcome.done), 2)
    cases = evaluate([sr], task.dataset.raw / f"{task.split}HR", None, task.processes).folders[0].cases
    names = (task.dataset.name, task.dataset.scenario, task.split)
    result = RowResult(task.row, *names, task.identity, training, seconds, cases)
    result.save(task.file)
    return result


def _trained(task: RowTask, overwrite: bool) -> Training:
    """Train, or finish a training, or find it finished."""
    folder, dataset = task.training, task.dataset
    begun = not overwrite and (folder / LATEST).is_file()
    if begun:
        task.iterations_left()  # refuses the training of other values
    if not (begun and (folder / FINAL).is_file()):
        _logger.info("%s %s: training", dataset.name, task.row.name)
        # A run that was killed before its first checkpoint leaves files, but nothing to lose.
        mode = "continue" if begun else "overwrite"
        names = (task.configuration.name, task.row.method)
        train(dataset.preprocessed, dataset.plan, *names, task.settings, task.run, folder, mode)
    return _account(task)


def _account(task: RowTask) -> Training:
    """What the finished training took, out of its own records."""
    folder = task.training
    progress = Progress.from_dict(load_checkpoint(folder / FINAL), str(folder / FINAL))
    validating = 0.0
    if not task.is_zero_shot:  # which has no epochs
        validating = sum(epoch.seconds.get("validation", 0.0) for epoch in read_epochs(folder / METRICS))
    method = build_method(task.row.method, task.configuration, task.settings)
    weights = [weight for player in method.players for weight in method.get_submodule(player).parameters()]
    computed = read_run(folder).computed
    return Training(
        iterations=task.iterations if task.is_zero_shot else progress.iteration,
        seconds=round(max(0.0, progress.seconds - validating), 1),
        weights=sum(weight.numel() for weight in weights),
        checkpoint="best" if (folder / BEST).is_file() else "final",
        device=computed.device,
        precision=computed.precision,
    )
