"""Training inside prediction, on the one LR volume there is. Knows methods and arrays; knows no file and no grid."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.methods.method import Method
from udeansr.prediction.refinement import back_projected, median_of_moves
from udeansr.prediction.zero_shot_pairs import ZeroShotPairs, fitting_patch
from udeansr.training.epoch_report import by_player, duration, show_losses
from udeansr.training.schedule import cosine_lr
from udeansr.training.settings import RunSettings
from udeansr.training.trainer import Trainer

_logger = logging.getLogger(__name__)


def zero_shot(
    method: Method,
    lr: np.ndarray,
    run: RunSettings,
    super_resolve: Callable[[Method, np.ndarray], np.ndarray],
    *,
    device: torch.device | str,
    precision: str,
    name: str = "volume",
) -> np.ndarray:
    """Learn on a volume, then super-resolve it, with the median and the back-projections that the settings ask for.

    Args:
        method: one that learns in prediction; its settings have ``iterations``, ``median`` and ``back_projections``.
        lr: (Z, Y, X) normalised, slab axis first.
        run: resolved; see :func:`learned_on`.
        super_resolve: a volume by a method.
        device: where to learn.
        precision: ``bf16``, ``fp16`` or ``fp32``.
        name: of the volume, for the bar and the log.
    Returns: (Z * sz, Y * sy, X * sx), in the unit of ``lr``.
    Raises:
        UdeansrError: as :func:`learned_on`.
    """
    learned = learned_on(method, lr, run, device=device, precision=precision, name=name)
    by_learned = partial(super_resolve, learned)
    settings = method.settings
    sr = median_of_moves(by_learned, lr, method.configuration.turns) if settings.median else by_learned(lr)
    return back_projected(sr, lr, method.scale, settings.back_projections)


def learned_on(
    method: Method,
    lr: np.ndarray,
    run: RunSettings,
    *,
    device: torch.device | str,
    precision: str,
    name: str = "volume",
) -> Method:
    """Train a copy of a method on one volume; the method itself stays as it is, so no volume has a say in another.

    Args:
        method: as it begins; its settings have ``iterations``.
        lr: (Z, Y, X) normalised, slab axis first.
        run: resolved; its batch size, learning rate, averaging, clip, augmentation and seed hold.
        device: where to compute.
        precision: ``bf16``, ``fp16`` or ``fp32``.
        name: of the volume, for the bar and the log.
    Returns: the copy with its averaged weights, ready to predict. Its network is made for the patches of this volume,
        which may be smaller than the plan's.
    Raises:
        UdeansrError: if the volume, degraded once more, holds no patch, training goes astray, or memory runs out.
    """
    assert run.lr and run.batch_size and run.ema_decay is not None, "settings are not resolved"
    own = replace(
        method.configuration,
        patch_size=fitting_patch(method.name, method.configuration, lr.shape),
        batch_size=run.batch_size,
    )
    learner = type(method)(own, method.settings)
    learner.load_state_dict(method.state_dict())
    trainer = Trainer(
        learner, lr=run.lr, device=torch.device(device), precision=precision, clip=run.clip, ema_decay=run.ema_decay
    )
    pairs = ZeroShotPairs(lr, own, run.seed, bool(run.augment))
    iterations = method.settings.iterations
    begun = time.monotonic()
    losses: dict[str, float] = {}
    with tqdm(total=iterations, desc=f"{method.name}: {name}", unit="iteration", leave=False, delay=0.5) as bar:
        for iteration in range(iterations):
            learner.progress = iteration / iterations
            trainer.set_lr(cosine_lr(iteration, iterations, run.lr))
            losses = _play(trainer, pairs.batch(iteration), iteration)
            show_losses(bar, losses)
    if not trainer.is_finite():
        raise _spoilt(method, "a weight is not finite", iterations)
    learner.load_state_dict({**learner.state_dict(), **trainer.average.state_dict()})
    last = ", ".join(f"{player} {loss:.4f}" for player, loss in by_player(losses).items()) or "none"
    spent = duration(time.monotonic() - begun)
    _logger.info("%s: learnt on %s in %d iterations, %s; last losses: %s", method.name, name, iterations, spent, last)
    return learner.eval().requires_grad_(False)


def _play(trainer: Trainer, batch: Batch, iteration: int) -> dict[str, float]:
    """One iteration, its losses found finite."""
    try:
        losses = trainer.play(batch, iteration)
    except torch.cuda.OutOfMemoryError as error:
        raise UdeansrError(
            f"{trainer.device}: out of memory with {len(batch.lr)} slabs in a batch; end other programs on it, or "
            f"begin again with fewer: udeansr_train --method {trainer.method.name} --overwrite --batch-size"
        ) from error
    if not all(math.isfinite(loss) for loss in losses.values()):
        named = ", ".join(f"{name} {loss:.4g}" for name, loss in losses.items())
        raise _spoilt(trainer.method, f"a loss is not finite ({named})", iteration + 1)
    return losses


def _spoilt(method: Method, trouble: str, iteration: int) -> UdeansrError:
    return UdeansrError(
        f"iteration {iteration}: {trouble}, so learning on this volume stopped. Predict with --precision fp32, or "
        f"begin again with a lower rate: udeansr_train --method {method.name} --overwrite --lr 0.0001"
    )
