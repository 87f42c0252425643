"""The model of a method that learns in prediction: how it begins. Knows checkpoints; trains nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from udeansr.training.checkpoint import BEST, FINAL, LATEST, save_checkpoint
from udeansr.training.random_state import random_state
from udeansr.training.trainer import Trainer

_logger = logging.getLogger(__name__)


def save_beginning(folder: Path, trainer: Trainer, identity: dict[str, Any]) -> Path:
    """Write the checkpoints of a training that has nothing to learn from until a volume comes.

    Args:
        folder: for the checkpoints; it is there.
        trainer: with the method's first weights, which the run's seed decides.
        identity: the keys of a checkpoint that say what is trained and how.
    Returns: ``final.pt``. ``best.pt`` and ``latest.pt`` hold the same, so that it is found like any other model.
    """
    progress = {"epoch": 0, "iteration": 0, "best": None, "seconds": 0.0, "losses": {}}
    parts = {"schedule": {}, "random": random_state(), "progress": progress}
    for name in (FINAL, BEST, LATEST):  # the latest last: with it, all are there
        save_checkpoint(folder / name, {**identity, **trainer.state_dict(), **parts})
    _logger.info(
        "%s learns in prediction, on each volume anew; there is nothing to learn before, so the first weights are the "
        "model", trainer.method.name,
    )  # fmt: skip
    return folder / FINAL
