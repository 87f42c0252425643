"""The training that prediction does: a loop of iterations with a bar, whose losses and weights stay finite."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from udeansr.batches.batch import Batch
from udeansr.device import memory_guard, non_finite
from udeansr.errors import UdeansrError
from udeansr.methods.method import Method
from udeansr.progress import progress_bar
from udeansr.training.log import by_player, duration, show_losses
from udeansr.training.loss_reader import LossReader
from udeansr.training.trainer import Trainer, cosine_learning_rate, warm_up

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remedies:
    """What to type where learning fails.

    Attributes:
        memory: where a batch does not fit.
        astray: where a loss or a weight is not finite, beside ``--precision fp32``.
    """

    memory: str
    astray: str


def learn(
    trainer: Trainer,
    batch: Callable[[int], Batch],
    iterations: int,
    learning_rate: float,
    *,
    name: str,
    remedies: Remedies,
) -> Method:
    """Train a method, the learning rate rising for a while, then falling on half a cosine.

    Args:
        trainer: of the method, as it begins.
        batch: batch number i.
        iterations: how many.
        learning_rate: of the first iteration after the warm-up.
        name: of what is learnt on, for the bar and the log.
        remedies: for the messages.
    Returns: the method with its averaged weights, ready to predict.
    Raises:
        UdeansrError: if a loss or a weight is not finite, or memory runs out.
    """
    method, begun = trainer.method, time.monotonic()
    losses: dict[str, float] = {}
    reader = LossReader()
    with progress_bar(f"{method.name}: {name}", iterations, unit="iteration", leave=False, delay=0.5) as bar:
        for iteration in range(iterations):
            method.progress = iteration / iterations
            cosine = cosine_learning_rate(iteration, iterations, learning_rate)
            trainer.set_learning_rate(cosine * warm_up(iteration, iterations))
            drawn = batch(iteration)
            with memory_guard(trainer.device, f"{len(drawn.lr)} slabs in a batch", remedies.memory):
                reader.add(iteration + 1, trainer.play(drawn, iteration))
            bar.update()
            if reader.is_due() or iteration + 1 == iterations:
                losses = _read(reader, remedies)
                show_losses(bar, losses)
    if not trainer.is_finite():
        raise _spoilt("a weight is not finite", iterations, remedies)
    method.load_state_dict({**method.state_dict(), **trainer.average.state_dict()})
    last = ", ".join(f"{player} {loss:.4f}" for player, loss in by_player(losses).items()) or "none"
    spent = duration(time.monotonic() - begun)
    _logger.info("%s: learnt on %s in %d iterations, %s; last losses: %s", method.name, name, iterations, spent, last)
    return method.eval().requires_grad_(False)


def _read(reader: LossReader, remedies: Remedies) -> dict[str, float]:
    """The losses of the last iteration; all since the last reading are looked at."""
    losses: dict[str, float] = {}
    for iteration, losses in reader.read():
        if trouble := non_finite(losses):
            raise _spoilt(trouble, iteration, remedies)
    return losses


def _spoilt(trouble: str, iteration: int, remedies: Remedies) -> UdeansrError:
    return UdeansrError(
        f"iteration {iteration}: {trouble}, so learning on this volume stopped. Predict with --precision fp32, or "
        f"{remedies.astray}"
    )
