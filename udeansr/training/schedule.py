"""The learning rate of an epoch. Knows two numbers and the cosine; keeps no state."""

from __future__ import annotations

import math
from bisect import bisect_right

LAST_LR = 1e-8
"""Where the cosine ends (the authors' code)."""


def cosine_lr(
    epoch: int, epochs: int, lr: float, last_lr: float = LAST_LR, stage_starts: tuple[float, ...] = (0.0,)
) -> float:
    """The learning rate of one epoch, on half a cosine from ``lr`` towards ``last_lr``; each stage has its own.

    It depends on nothing else, so that a continued run goes on where it stopped.

    Args:
        epoch: epochs that are done, 0 to ``epochs``; the last value is reached when all are.
        epochs: epochs in all.
        lr: learning rate of the first epoch of a stage.
        last_lr: learning rate at the end.
        stage_starts: parts of the training that are done when a stage begins, rising from 0.
    """
    share_done = min(epoch / epochs, 1.0)
    stage = bisect_right(stage_starts, share_done) - 1
    start, end = (*stage_starts, 1.0)[stage : stage + 2]
    share_of_stage = (share_done - start) / (end - start) if end > start else 1.0
    return last_lr + (lr - last_lr) * (1 + math.cos(math.pi * share_of_stage)) / 2
