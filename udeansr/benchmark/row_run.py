"""Doing a row: train, predict, score. Knows the stages and their order; knows no table."""

from __future__ import annotations

import json
import logging
import time

from udeansr.benchmark.row_result import RowResult, Training
from udeansr.benchmark.row_task import RowTask
from udeansr.errors import UdeansrError
from udeansr.evaluation.evaluate import evaluate
from udeansr.methods import build_method
from udeansr.paths import Root
from udeansr.prediction.choice import Wish
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict
from udeansr.training.checkpoint import BEST, FINAL, LATEST, load_checkpoint
from udeansr.training.log import METRICS
from udeansr.training.run_folder import RUN_FILE
from udeansr.training.train import train

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
    sr = task.folder.sr(task.dataset.name, task.people, task.row.name)
    results = Root(task.folder.root / "results", "--results")
    if training is not None:
        wish = Wish(results, path=task.training, checkpoint=training.checkpoint)
    else:
        wish = Wish(results, method=task.row.method, scale=task.configuration.factors)
    _logger.info("%s %s: predicting %s people", task.dataset.name, task.row.name, task.people)
    begun = time.perf_counter()
    # Nobody knows of SR that is there already whether this model made it.
    outcome = predict(
        task.dataset.raw / f"{task.people}LR",
        sr,
        wish,
        Options(device=task.options.device, precision=task.options.precision, stride=1, mode="overwrite"),
    )
    if outcome.failed:
        raise UdeansrError(str(outcome))
    seconds = round((time.perf_counter() - begun) / len(outcome.done), 2)
    cases = evaluate([sr], task.dataset.raw / f"{task.people}HR", None, task.processes).folders[0].cases
    names = (task.dataset.name, task.dataset.scenario, task.people)
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
    if not task.learns_in_prediction:  # which has no epochs
        epochs = [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]
        validating = sum(epoch["seconds"]["validation"] for epoch in epochs)
    method = build_method(task.row.method, task.configuration, task.settings)
    weights = [weight for player in method.players for weight in method.get_submodule(player).parameters()]
    computed = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["computed"]
    return Training(
        iterations=task.iterations if task.learns_in_prediction else progress["iteration"],
        seconds=round(max(0.0, progress["seconds"] - validating), 1),
        weights=sum(weight.numel() for weight in weights),
        checkpoint="best" if (folder / BEST).is_file() else "final",
        device=computed["device"],
        precision=computed["precision"],
    )
