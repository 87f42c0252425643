"""One row of one dataset: what decides it, what there is of it already, and doing it: train, predict, score."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from udeansr.benchmark.dataset import SimulatedDataset
from udeansr.benchmark.folder import BenchmarkFolder, differences
from udeansr.benchmark.row_result import RowResult, Training
from udeansr.benchmark.rows import Row
from udeansr.errors import UdeansrError
from udeansr.evaluation.evaluate import evaluate
from udeansr.methods import METHODS, build_method, load_settings
from udeansr.models.choice import ModelQuery
from udeansr.paths import Root
from udeansr.planning.plan import Configuration
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict
from udeansr.preprocessing.preprocessed_dataset import planned_values
from udeansr.training.checkpoint import BEST, FINAL, LATEST, load_checkpoint
from udeansr.training.log import METRICS
from udeansr.training.run_folder import RUN_FILE, check_same_training
from udeansr.training.settings import LASTING, RunSettings
from udeansr.training.train import train

NOT_OF_THE_SCORES = ("epochs", "iterations_per_epoch", "batch_size")
"""Of a configuration: words, and what the run's own settings hold."""

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
        return bool(METHODS[self.row.method].players)

    @property
    def is_zero_shot(self) -> bool:
        """Whether it is trained on each volume anew, in prediction."""
        return METHODS[self.row.method].is_zero_shot

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
        return replace(options, **self.row.run).resolved(self.configuration, METHODS[self.row.method])

    @property
    def training(self) -> Path:
        """Where its training lies."""
        return self.folder.training(self.dataset.name, self.configuration.name, self.row.name)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that decides the scores; how it is computed is not among it."""
        plan, configuration = self.dataset.plan, self.configuration
        values = {"method": self.row.method, "settings": asdict(self.settings), "subjects": self.dataset.subjects}
        if self.learns:
            planned = {
                name: value
                for name, value in (asdict(configuration.task) | asdict(configuration.size)).items()
                if name not in NOT_OF_THE_SCORES
            }
            values["plan"] = planned | planned_values(plan, configuration)
            values["run"] = {name: getattr(self.run, name) for name in OF_THE_RUN}
        else:
            values["plan"] = {"scale": configuration.task.scale}
        return json.loads(json.dumps(values))

    def result(self) -> RowResult | None:
        """What was done before; None if nothing was.

        Raises:
            UdeansrError: if it was done with other values, which it names.
        """
        if not self.file.is_file():
            return None
        result = RowResult.load(self.file)
        self._refuse_changes(self.file, result.identity)
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
        state = load_checkpoint(self.training / LATEST)
        names = {"configuration": self.configuration.name, "method": self.row.method}
        identity = {**names, "settings": asdict(self.settings)}
        check_same_training(state, identity, self.dataset.plan, str(self.training))
        self._refuse_changes(self.training, {"run": {name: state["run"].get(name) for name in OF_THE_RUN}})
        return self.iterations - state["progress"]["iteration"]

    def _refuse_changes(self, path: Path, former: dict[str, Any]) -> None:
        """Refuse what was made with other values than this row's: of the identity, the parts in ``former``."""
        now = {name: self.identity.get(name) for name in former}
        changes = [_change(*change) for change in differences(former, now)]
        if changes:
            raise UdeansrError(
                f"{path}: was made with other values: {', '.join(changes)}. "
                "Do it again with --overwrite, or give the row another name"
            )


def _change(name: str, then: Any, now: Any) -> str:
    """A difference in words; curves and lists of subjects are only named."""
    return name if isinstance(then, (list, dict)) or isinstance(now, (list, dict)) else f"{name} {then} -> {now}"


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
    progress = load_checkpoint(folder / FINAL)["progress"]
    validating = 0.0
    if not task.is_zero_shot:  # which has no epochs
        epochs = [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]
        validating = sum(epoch["seconds"]["validation"] for epoch in epochs)
    method = build_method(task.row.method, task.configuration, task.settings)
    weights = [weight for player in method.players for weight in method.get_submodule(player).parameters()]
    computed = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["computed"]
    return Training(
        iterations=task.iterations if task.is_zero_shot else progress["iteration"],
        seconds=round(max(0.0, progress["seconds"] - validating), 1),
        weights=sum(weight.numel() for weight in weights),
        checkpoint="best" if (folder / BEST).is_file() else "final",
        device=computed["device"],
        precision=computed["precision"],
    )
