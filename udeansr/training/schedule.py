"""The learning rate of an epoch. Knows two numbers and the cosine; keeps no state."""

from __future__ import annotations

import math

LAST_LR = 1e-8
"""Where the cosine ends (the authors' code)."""


def cosine_lr(epoch: int, epochs: int, lr: float, last_lr: float = LAST_LR) -> float:
    """The learning rate of one epoch, on half a cosine from ``lr`` towards ``last_lr``.

    It depends on nothing else, so that a continued run goes on where it stopped.

    Args:
        epoch: epochs that are done, 0 to ``epochs``; the last value is reached when all are.
        epochs: epochs in all.
        lr: learning rate of the first epoch.
        last_lr: learning rate at the end.
    """
    share_done = min(epoch / epochs, 1.0)
    return last_lr + (lr - last_lr) * (1 + math.cos(math.pi * share_done)) / 2
