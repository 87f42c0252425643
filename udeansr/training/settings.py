"""What is trained and how: the settings of a run, the record of a training, and what may change when it goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Lt

from udeansr.device import Precision
from udeansr.errors import UdeansrError
from udeansr.methods.method import Method
from udeansr.planning.configuration import Configuration
from udeansr.planning.domain import Domain
from udeansr.planning.plan import Plan
from udeansr.strict_json import NonNegativeInt, PositiveFloat, PositiveInt, as_json, differences, from_json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

LASTING = ("iterations_per_epoch", "batch_size", "learning_rate", "seed", "ema_decay", "augment", "validation_cases")
"""What a continued run keeps: with another value, its numbers would not belong to one training."""

RUN_OVER_PLAN = ("epochs", "iterations_per_epoch", "batch_size")
"""Values of the plan's configuration that a run's own settings stand in for."""


@dataclass(frozen=True)
class RunSettings:
    """How one training is run; all of it is saved in ``run.json`` and in every checkpoint.

    It is read by :func:`udeansr.strict_json.from_json`, which refuses what cannot be run.

    Attributes:
        epochs: epochs in all; None takes the plan's. The learning rate falls over these.
        iterations_per_epoch: None takes the plan's.
        minutes: that epochs and iterations were chosen to take (:mod:`udeansr.training.timing`); None chose none.
        batch_size: slabs of each cohort in a batch; None takes the plan's.
        learning_rate: learning rate of the first epoch; None takes the method's.
        seed: of the first weights, of the batches and of the subjects held out.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, ...
        workers: processes that prepare batches; 0 prepares them in the training process.
        precision: ``auto``, ``bf16``, ``fp16`` or ``fp32``.
        clip: largest norm of a player's gradient; None clips nothing.
        ema_decay: decay of the moving average of the weights that predict; 0 switches it off, None takes the method's.
        augment: whether slabs are mirrored, turned and changed in gain; None takes the method's.
        compile: whether networks go through ``torch.compile``.
        sync_batchnorm: of several processes, whether batch normalisation sees the shares of all as one batch; None, as
            it is done where nobody says otherwise: yes.
        tensorboard: whether to write TensorBoard events as well.
        checkpoint_minutes: time between checkpoints inside an epoch, minutes.
        max_minutes: time after which this call ends the training properly, minutes; None has no such end.
        validation_cases: volumes of each kind that are validated on after an epoch.
    """

    epochs: PositiveInt | None = None
    iterations_per_epoch: PositiveInt | None = None
    minutes: PositiveFloat | None = None
    batch_size: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    seed: NonNegativeInt = 0
    device: str = "auto"
    workers: NonNegativeInt = 0
    precision: Precision = "auto"
    clip: PositiveFloat | None = None
    ema_decay: Annotated[float, Ge(0), Lt(1)] | None = None
    augment: bool | None = None
    compile: bool = False
    sync_batchnorm: bool | None = None
    tensorboard: bool = False
    checkpoint_minutes: PositiveFloat = 5.0
    max_minutes: PositiveFloat | None = None
    validation_cases: PositiveInt = 2

    def resolved(self, configuration: Configuration, method: type[Method]) -> RunSettings:
        """The same with the plan's numbers, and the method's, where this has none."""
        return replace(
            self,
            epochs=self.epochs or configuration.size.epochs,
            iterations_per_epoch=self.iterations_per_epoch or configuration.size.iterations_per_epoch,
            batch_size=self.batch_size or configuration.size.batch_size,
            learning_rate=self.learning_rate or method.learning_rate,
            ema_decay=method.ema_decay if self.ema_decay is None else self.ema_decay,
            augment=method.augment if self.augment is None else self.augment,
        )


@dataclass(frozen=True)
class TrainingRecord:
    """What is trained and how; it is in every checkpoint.

    Attributes:
        plan: of the dataset.
        configuration: name of the plan's configuration.
        method: name of the method.
        settings: of the method, as JSON.
        run: resolved.
        domain: of the LR that are learned from; None where it was not measured.
    """

    plan: Plan
    configuration: str
    method: str
    settings: dict[str, Any]
    run: RunSettings
    domain: Domain | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON takes it, the keys of a checkpoint."""
        return {**as_json(replace(self, plan=None)), "plan": self.plan.as_dict()}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], where: str) -> TrainingRecord:
        """The record of a checkpoint.

        Args:
            state: all of the checkpoint.
            where: its file, for messages.
        Raises:
            UdeansrError: naming what is unknown, missing or of no sense.
        """
        stored = from_json(_Stored, {item.name: state.get(item.name) for item in fields(_Stored)}, where)
        return cls(**{**vars(stored), "plan": Plan.from_dict(stored.plan, where)})

    @property
    def planned(self) -> Configuration:
        """The plan's configuration that is trained."""
        return self.plan.configuration(self.configuration)

    def lasting(self, run_settings: tuple[str, ...] = LASTING) -> dict[str, Any]:
        """All that decides what is learned, as JSON: method and settings, the numbers of the plan, those of the run.

        Args:
            run_settings: names of the run's settings among it.
        """
        numbers = {name: value for name, value in self.planned.values().items() if name not in RUN_OVER_PLAN}
        plan = {"orientation": self.plan.orientation, "lr_gain": self.plan.lr_gain, **numbers}
        plan["degradation"] = self.plan.degradation and as_json(self.plan.degradation)
        run = {name: getattr(self.run, name) for name in run_settings}
        values = {"method": self.method, "settings": self.settings, "plan": plan, "run": run}
        return json.loads(json.dumps(values, default=as_json))


@dataclass(frozen=True)
class _Stored:
    """A record as it lies in a checkpoint."""

    plan: dict[str, Any]
    configuration: str
    method: str
    settings: dict[str, Any]
    run: RunSettings
    domain: Domain | None = None


def check_same_training(former: TrainingRecord, now: TrainingRecord, where: str) -> None:
    """Hold a continued training to what it began with; epochs may grow, and how it is computed may change.

    Args:
        former: of the checkpoint.
        now: what is asked for.
        where: the folder, for messages.
    Raises:
        UdeansrError: naming everything that differs.
    """
    changes = [str(difference) for difference in differences(former.lasting(), now.lasting())]
    if (now.run.epochs or 0) < (former.run.epochs or 0):
        changes.append(f"run.epochs {former.run.epochs} -> {now.run.epochs} (they may only grow)")
    if changes:
        raise UdeansrError(
            f"{where} was begun with other values: {', '.join(changes)}. Continue with the saved ones (the same plan, "
            "--method and --set; leave the other flags out), or begin again with --overwrite"
        )


def run_names(method: str, name: str | None, seed: int | None, seeds: str | None) -> dict[str, dict[str, int]]:
    """The runs that are meant, by the names of their folders, and the seed of each where one was given.

    Args:
        method: whose name a run has by itself, with the seed behind it where that is not 0.
        name: that somebody gave it.
        seed: of one run.
        seeds: of several, with commas between.
    Raises:
        UdeansrError: if the name is none of a folder, or the seeds are none.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise UdeansrError(f"--name {name!r} is no name of a run; expected letters, digits, '.', '_' and '-'")
    if seeds is None:
        own = name or f"{method}{_behind(seed or 0)}"
        return {own: {} if seed is None else {"seed": seed}}
    if seed is not None:
        raise UdeansrError("--seeds names all seeds; leave --seed out")
    words = [word.strip() for word in seeds.split(",")]
    if not all(word.isdecimal() for word in words) or len(set(words)) < len(words):
        raise UdeansrError(f"--seeds {seeds}: expected different whole numbers with commas between, such as 0,1,2")
    return {f"{name or method}{_behind(number)}": {"seed": number} for number in map(int, words)}


def _behind(seed: int) -> str:
    return f"_seed{seed}" if seed else ""


def check_minutes(saved: float | None, given: float | None, output: Path) -> None:
    """Refuse another time for a training that is continued: its epochs are chosen already.

    Args:
        saved: minutes that it was begun with.
        given: minutes that are asked for now.
        output: its folder.
    Raises:
        UdeansrError: if they differ.
    """
    if given != saved:
        former = "epochs" if saved is None else f"--minutes {saved:g}"
        raise UdeansrError(
            f"--minutes {given:g}: {output} was begun with {former}; leave it out, or go on for longer with --epochs N"
        )
