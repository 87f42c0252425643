"""Training, from a preprocessed dataset to a model."""

from __future__ import annotations

import logging
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from udeansr import distributed
from udeansr.device import choose_device, choose_precision, describe_device
from udeansr.distributed import is_leader, on_leader
from udeansr.errors import UdeansrError
from udeansr.lock import LOCK_FILE, locked
from udeansr.methods import build_method, method_type
from udeansr.methods.method import Method
from udeansr.networks.discriminator import BatchNorm2d
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.preprocessing.pairing import check_partners, pair_cases
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.strict_json import as_json
from udeansr.training.checkpoint import (
    FINAL,
    Progress,
    check_weights,
    restore_random_state,
    save_beginning,
    seed_everything,
)
from udeansr.training.computed import Computed
from udeansr.training.log import RunLog, check_tensorboard
from udeansr.training.loop import TrainingLoop
from udeansr.training.run_folder import check_mode, open_run_folder, write_run
from udeansr.training.settings import RunSettings, TrainingRecord, check_same_training
from udeansr.training.timing import of_minutes
from udeansr.training.trainer import Trainer
from udeansr.training.validation import Split, Validator, split_cases

__all__ = ["RunSettings", "build_trainer", "first_method", "train", "training_split"]

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
        mode: ``new`` (there must be no training yet), ``overwrite``, or ``continue``: from ``latest.pt``, from the
            beginning where nothing is there, and not at all where nothing is left to do.
    Returns: ``final.pt``.
    Raises:
        UdeansrError: if the method learns nothing, the folder has a training (or, to continue, another one), another
            process is at it, the device or precision is not to be had, the method wants pairs of equal name and nobody
            is in both groups, a loss is not finite, or the disk refuses.
        StoppedError: on SIGINT or SIGTERM, once the iteration is whole and ``latest.pt`` is written.
    """
    configuration, plan = plan.configuration(configuration_name), plan.of(configuration_name)
    _check_learns(method_name, configuration.task.scale)
    if distributed.size() > 1 and method_type(method_name).is_zero_shot:
        raise UdeansrError(f"{method_name} learns in prediction, not here; expected one process; leave --num-gpus out")
    run = of_minutes(preprocessed_folder, configuration, method_name, settings, run)
    run = run.resolved(configuration, method_type(method_name))
    device = distributed.own_device(choose_device(run.device))
    precision = choose_precision(run.precision, device)
    if run.tensorboard:
        check_tensorboard()
    dataset = PreprocessedDataset.open(preprocessed_folder, configuration)
    method = first_method(method_name, configuration, settings, dataset, run)
    record = TrainingRecord(plan, configuration_name, method_name, as_json(settings), run, method.domain)
    on_leader(lambda: check_mode(output_folder, mode))  # nothing is made before all else is known to be right
    with ExitStack() as stack:
        on_leader(lambda: stack.enter_context(locked(output_folder / LOCK_FILE)))
        return _train(dataset, method, record, Computed.here(device, precision), output_folder, mode)


def _train(
    dataset: PreprocessedDataset, method: Method, record: TrainingRecord, computed: Computed, folder: Path, mode: str
) -> Path:
    """Begin, go on or find it done, in a folder that is this process' own; returns ``final.pt``."""
    state = on_leader(lambda: open_run_folder(folder, mode))
    progress = None if state is None else _progress(state, record, method, str(folder))
    run, device, precision = record.run, torch.device(computed.device), computed.precision
    if progress is not None and on_leader((folder / FINAL).is_file) and _is_done(progress, method, run):
        logger.info("%s: done, nothing is left to do%s", folder, "" if method.is_zero_shot else MORE_EPOCHS)
        return folder / FINAL
    epochs_done = progress.epoch if progress and progress.iteration else -1
    with RunLog(folder, epochs_done, run.tensorboard) if is_leader() else nullcontext() as log:
        on_leader(lambda: write_run(folder, record, computed))
        names = (record.plan.dataset, record.configuration, record.method)
        logger.info("%s %s, %s, on %s in %s", *names, describe_device(device), precision)
        if log is not None:
            log.note(f"seed {run.seed}; {computed}")
        trainer = build_trainer(method, run, device, precision)
        if method.is_zero_shot:
            return save_beginning(folder, trainer, record)
        split = training_split(dataset, method, record)
        validator = Validator(split, record.planned.task.factors, device, precision)
        loop = TrainingLoop(trainer, split, validator, log, folder, record)
        if state is not None and progress is not None:
            _restore(trainer, state, str(folder))
            loop.load_progress(progress)
        return loop.run()


def _restore(trainer: Trainer, state: dict[str, Any], where: str) -> None:
    """Give a trainer, and the random generators, what a checkpoint has of them."""
    try:
        trainer.load_state_dict(state)
        restore_random_state(state["random"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise UdeansrError(
            f"{where}: what the checkpoint has of the optimisers or the random states is broken, so that training "
            "cannot go on from it; begin again with --overwrite"
        ) from error


MORE_EPOCHS = "; --continue --epochs N with a larger N goes on for longer"


def _is_done(progress: Progress, method: Method, run: RunSettings) -> bool:
    """Whether a training has nothing left to do."""
    return method.is_zero_shot or progress.epoch >= (run.epochs or 0)


def _progress(state: dict[str, Any], record: TrainingRecord, method: Method, where: str) -> Progress:
    """How far the training of a checkpoint has come, which has to be the same training."""
    check_same_training(TrainingRecord.from_dict(state, where), record, where)
    check_weights(state, method.state_dict(), where)
    return Progress.from_dict(state, where)


def training_split(dataset: PreprocessedDataset, method: Method, record: TrainingRecord) -> Split:
    """Who trains and who validates; for a method of real pairs, those are made of who trains."""
    split = split_cases(dataset, record.run.seed, record.run.validation_cases)
    if method.pairs == "synthetic":
        return split
    registered = method.pairs == "registered"
    pairs = pair_cases(dataset, split.train_hr, split.train_lr, record.planned, registered, record.run.workers)
    return replace(split, train_hr=pairs)


def _check_learns(method_name: str, scale: str) -> None:
    """Refuse a method that needs no training."""
    if not method_type(method_name).needs_cohort:
        raise UdeansrError(
            f"{method_name} learns from the scans that are predicted, so there is nothing to train; predict with it "
            f"directly: udeansr_predict -i lr/ -o sr/ --method {method_name} --save-model model.zip"
        )
    if not method_type(method_name).players:
        raise UdeansrError(
            f"{method_name} learns nothing, so there is nothing to train; predict with it directly: "
            f"udeansr_predict -i lr/ -o sr/ --method {method_name} --scale {scale}"
        )


def first_method(
    name: str, configuration: Configuration, settings: Any, dataset: PreprocessedDataset, run: RunSettings
) -> Method:
    """The method with the first weights of the run's seed; refuses a dataset or a batch that it cannot learn from."""
    seed_everything(run.seed)
    method = build_method(name, configuration, settings)
    method.domain = dataset.domain()
    if method.pairs != "synthetic":
        check_partners(dataset, dataset.cases(SOURCE_HR), dataset.cases(TARGET_LR))
    assert run.batch_size is not None, "settings are not resolved"
    slabs = len(distributed.share_of_batch(run.batch_size)) if run.sync_batchnorm is False else run.batch_size
    if slabs == 1 and any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in method.modules()):
        where = "batch-size is 1" if run.batch_size == 1 else "each process has 1 slab of a batch"
        raise UdeansrError(f"{where}, but {method.name} normalises over the slabs of a batch; expected at least 2")
    return method


def build_trainer(method: Method, run: RunSettings, device: torch.device, precision: str) -> Trainer:
    """The method's trainer, as the run is set."""
    torch.backends.cudnn.benchmark = device.type == "cuda"  # patches of one size
    if run.compile and device.type == "cpu":
        logger.warning("torch.compile is left out on the CPU, where it gains little and needs a C++ compiler")
    assert run.learning_rate is not None and run.ema_decay is not None, "settings are not resolved"
    for module in method.modules():
        if isinstance(module, BatchNorm2d):
            module.synchronized = run.sync_batchnorm is not False
    return Trainer(
        method,
        learning_rate=run.learning_rate,
        device=device,
        precision=precision,
        clip=run.clip,
        ema_decay=run.ema_decay,
        compile=run.compile and device.type != "cpu",
    )
