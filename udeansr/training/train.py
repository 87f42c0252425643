"""Training, from a preprocessed dataset to a model. Knows who is asked for what and in which order; knows no loss."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from udeansr.device import choose_device, choose_precision, describe_device
from udeansr.errors import UdeansrError
from udeansr.methods import METHODS, build_method, method_type
from udeansr.methods.method import Method
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.plan import Plan
from udeansr.preprocessing.pairing import check_partners, pair_cases
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.strict_json import as_json, from_json
from udeansr.training.checkpoint import check_weights, restore_random_state, save_beginning, seed_everything
from udeansr.training.log import RunLog, check_tensorboard
from udeansr.training.loop import TrainingLoop
from udeansr.training.run_folder import check_same_training, open_run_folder, write_run
from udeansr.training.settings import RunSettings, check_continuation
from udeansr.training.trainer import Trainer
from udeansr.training.validation import Validator, split_cases

__all__ = ["RunSettings", "train"]

logger = logging.getLogger(__name__)


def train(
    preprocessed_folder: Path,
    plan: Plan,
    configuration_name: str,
    method_name: str,
    settings: Any,
    run: RunSettings,
    output_folder: Path,
    mode: str = "new",
) -> Path:
    """Train a method, or go on with a training, until its last epoch or the end of its time.

    A method that learns in prediction is not trained here: its first weights are written as its model.

    Args:
        preprocessed_folder: ``<preprocessed root>/<dataset>``.
        plan: the dataset's plan.
        configuration_name: one of the plan's configurations.
        method_name: one of ``METHODS``.
        settings: the method's settings, of its ``settings_type``.
        run: how to run; None takes the plan's value.
        output_folder: ``<results root>/<dataset>/<configuration>/<method>``; it gets the checkpoints and the record.
        mode: ``new`` (there must be no training yet), ``continue`` (from ``latest.pt``) or ``overwrite``.
    Returns: ``final.pt``.
    Raises:
        UdeansrError: if the method learns nothing, the folder has a training (or, to continue, none or another one),
            the device or precision is not to be had, the method wants pairs of equal name and nobody is in both
            groups, or a loss is not finite.
        StoppedError: on SIGINT or SIGTERM, once the iteration is whole and ``latest.pt`` is written.
    """
    configuration = plan.configuration(configuration_name)
    _check_learns(method_name, configuration.task.scale, mode)
    run = run.resolved(configuration, method_type(method_name))
    device = choose_device(run.device)
    precision = choose_precision(run.precision, device)
    if run.tensorboard:
        check_tensorboard()
    dataset = PreprocessedDataset.open(preprocessed_folder, configuration)
    seed_everything(run.seed)
    method = build_method(method_name, configuration, settings)
    method.domain = dataset.domain()
    _check_batch_size(method, run)
    if method.pairs != "synthetic":
        check_partners(dataset, dataset.cases(SOURCE_HR), dataset.cases(TARGET_LR))
    state = open_run_folder(output_folder, mode)  # nothing is removed before all else is known to be right
    identity = {
        "plan": plan.as_dict(),
        "configuration": configuration_name,
        "method": method_name,
        "settings": json.loads(json.dumps(asdict(settings))),
        "run": as_json(run),
        "domain": method.domain and as_json(method.domain),
    }
    if state is not None:
        where = str(output_folder)
        check_same_training(state, identity, plan, where)
        check_weights(state, method.state_dict(), where)
        check_continuation(from_json(RunSettings, state["run"], where), run, where)
    epochs_done = -1 if state is None or state["progress"]["iteration"] == 0 else state["progress"]["epoch"]
    with RunLog(output_folder, epochs_done, run.tensorboard) as log:
        write_run(output_folder, identity, device=str(device), precision=precision)
        logger.info(
            "%s %s, %s, on %s in %s", plan.dataset, configuration_name, method_name, describe_device(device), precision
        )
        trainer = _trainer(method, run, device, precision)
        if method.is_zero_shot:
            return save_beginning(output_folder, trainer, identity)
        split = split_cases(dataset, run.seed, run.validation_cases)
        if method.pairs != "synthetic":
            cases, registered = (split.train_hr, split.train_lr), method.pairs == "registered"
            pairs = pair_cases(dataset, *cases, configuration, registered, run.workers)
            split = replace(split, train_hr=pairs)
        loop = TrainingLoop(
            trainer,
            split,
            configuration.changed(batch_size=run.batch_size),  # type: ignore[arg-type]
            run,
            Validator(split, configuration.task.factors, device, precision),
            log,
            output_folder,
            identity,
        )
        if state is not None:
            trainer.load_state_dict(state)
            restore_random_state(state["random"])
            loop.load_progress(state["progress"])
        return loop.run()


def _check_learns(method_name: str, scale: str, mode: str) -> None:
    """Refuse a method without players, and to go on where nothing is learnt before prediction."""
    if method_type(method_name).is_zero_shot and mode == "continue":
        raise UdeansrError(
            f"{method_name} learns in prediction, so there is no training to continue; predict with it, "
            "or begin again with other settings: --overwrite"
        )
    if not METHODS[method_name].players:
        raise UdeansrError(
            f"{method_name} learns nothing, so there is nothing to train; predict with it directly: "
            f"udeansr_predict -i lr/ -o sr/ --method {method_name} --scale {scale}"
        )


def _check_batch_size(method: Method, run: RunSettings) -> None:
    """Refuse a batch of one slab where its statistics are needed."""
    if run.batch_size == 1 and any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in method.modules()):
        raise UdeansrError(
            f"batch-size is 1, but {method.name} normalises over the slabs of a batch; expected at least 2"
        )


def _trainer(method: Method, run: RunSettings, device: torch.device, precision: str) -> Trainer:
    """The method's trainer, as the run is set."""
    torch.backends.cudnn.benchmark = device.type == "cuda"  # patches of one size
    if run.compile and device.type == "cpu":
        logger.warning("torch.compile is left out on the CPU, where it gains little and needs a C++ compiler")
    assert run.learning_rate is not None and run.ema_decay is not None, "settings are not resolved"
    return Trainer(
        method,
        learning_rate=run.learning_rate,
        device=device,
        precision=precision,
        clip=run.clip,
        ema_decay=run.ema_decay,
        compile=run.compile and device.type != "cpu",
    )
