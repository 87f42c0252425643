"""The settings of one run, and which of them may change when it is continued."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge, Lt

from udeansr.device import Precision
from udeansr.errors import UdeansrError
from udeansr.methods.method import Method
from udeansr.planning.plan import Configuration
from udeansr.strict_json import NonNegativeInt, PositiveFloat, PositiveInt

LASTING = ("iterations_per_epoch", "batch_size", "learning_rate", "seed", "ema_decay", "augment", "validation_cases")
"""What a continued run keeps: with another value, its numbers would not belong to one training."""


@dataclass(frozen=True)
class RunSettings:
    """How one training is run; all of it is saved in ``run.json`` and in every checkpoint.

    It is read by :func:`udeansr.strict_json.from_json`, which refuses what cannot be run.

    Attributes:
        epochs: epochs in all; None takes the plan's. The learning rate falls over these.
        iterations_per_epoch: None takes the plan's.
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
        tensorboard: whether to write TensorBoard events as well.
        checkpoint_minutes: time between checkpoints inside an epoch, minutes.
        max_minutes: time after which this call ends the training properly, minutes; None has no such end.
        validation_cases: volumes of each kind that are validated on after an epoch.
    """

    epochs: PositiveInt | None = None
    iterations_per_epoch: PositiveInt | None = None
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


def check_continuation(saved: RunSettings, wanted: RunSettings, where: str) -> None:
    """Hold a continued run to what it began with; epochs may grow, and how it is computed may change.

    Args:
        saved: the settings of the checkpoint, resolved.
        wanted: the settings asked for now, resolved.
        where: the checkpoint, for messages.
    Raises:
        UdeansrError: naming every lasting setting that differs.
    """
    changes = [
        f"{name} {getattr(saved, name)} -> {getattr(wanted, name)}"
        for name in LASTING
        if getattr(saved, name) != getattr(wanted, name)
    ]
    if (wanted.epochs or 0) < (saved.epochs or 0):
        changes.append(f"epochs {saved.epochs} -> {wanted.epochs} (they may only grow)")
    if changes:
        raise UdeansrError(
            f"{where} was begun with other settings: {', '.join(changes)}. "
            "Continue with the saved ones (leave those flags out), or begin again with --overwrite"
        )
