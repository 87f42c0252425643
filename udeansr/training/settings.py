"""The settings of one run, and which of them may change when it is continued. Knows numbers; trains nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from udeansr.errors import UdeansrError
from udeansr.methods.method import Method
from udeansr.planning.plan import Configuration

PRECISIONS = ("auto", "bf16", "fp16", "fp32")

LASTING = ("iterations_per_epoch", "batch_size", "learning_rate", "seed", "ema_decay", "augment", "validation_cases")
"""What a continued run keeps: with another value, its numbers would not belong to one training."""


@dataclass(frozen=True)
class RunSettings:
    """How one training is run; all of it is saved in ``run.json`` and in every checkpoint.

    Attributes:
        epochs: epochs in all; None takes the plan's. The learning rate falls over these.
        iterations_per_epoch: None takes the plan's.
        batch_size: slabs of each cohort in a batch; None takes the plan's.
        learning_rate: learning rate of the first epoch; None takes the method's.
        seed: of the first weights, of the batches and of the people held out.
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

    Raises:
        UdeansrError: if a value is out of its range.
    """

    epochs: int | None = None
    iterations_per_epoch: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    device: str = "auto"
    workers: int = 0
    precision: str = "auto"
    clip: float | None = None
    ema_decay: float | None = None
    augment: bool | None = None
    compile: bool = False
    tensorboard: bool = False
    checkpoint_minutes: float = 5.0
    max_minutes: float | None = None
    validation_cases: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for name in ("epochs", "iterations_per_epoch", "batch_size", "validation_cases"):
            _check(name, getattr(self, name), lambda number: number >= 1, "a whole number of at least 1")
        for name in ("learning_rate", "clip", "max_minutes", "checkpoint_minutes"):
            _check(name, getattr(self, name), lambda number: 0 < number < float("inf"), "a number above 0")
        for name in ("workers", "seed"):
            _check(name, getattr(self, name), lambda number: number >= 0, "a whole number of at least 0")
        _check("ema_decay", self.ema_decay, lambda decay: 0 <= decay < 1, "at least 0 (off) and below 1")
        _check("precision", self.precision, lambda name: name in PRECISIONS, f"one of {', '.join(PRECISIONS)}")

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

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "run.json") -> RunSettings:
        """The way back from :meth:`as_dict`.

        Raises:
            UdeansrError: naming an unknown key, or a value out of its range.
        """
        known = [item.name for item in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UdeansrError(
                f"{where}: unknown key '{unknown[0]}' in the run's settings; known are {', '.join(known)}"
            )
        return cls(**values)


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


def _check(name: str, value: Any, fits: Any, expected: str) -> None:
    """Refuse a value that is out of its range; None means that there is none."""
    if value is not None and not fits(value):
        raise UdeansrError(f"{name.replace('_', '-')} is {value}; expected {expected}")
