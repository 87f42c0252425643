"""Zero-shot learning: training inside prediction, on pairs of the one LR volume and the same degraded once more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from udeansr.batches.augmentation import draw_gain, mirror_and_rotate
from udeansr.batches.batch import Batch
from udeansr.batches.slabs import draw_pair, draw_view, seen
from udeansr.degradation.kspace import truncate_kspace
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc
from udeansr.inference.test_time_augmentation import all_transforms
from udeansr.methods.method import Method
from udeansr.planning.configuration import Configuration
from udeansr.prediction.learning import Remedies, learn
from udeansr.preprocessing.preprocessor import draw_foreground
from udeansr.training.settings import RunSettings
from udeansr.training.trainer import Trainer

SMALLEST_SIDE = 8
"""Pixels of a patch of the twice degraded LR; at x2 its prediction is then hardly wider than the window of SSIM."""


def fitting_patch(method_name: str, configuration: Configuration, shape: tuple[int, ...]) -> tuple[int, int]:
    """The plan's patch, or as much of it as the LR holds when it is degraded once more.

    Channel attention pools windows of a patch: a network that was made for larger ones would see other means in the LR.

    Args:
        method_name: for the message.
        configuration: gives slab, patch, scale, and whether patches are turned and so must be square.
        shape: (Z, Y, X) of the LR.
    Returns: (Y, X) in voxels of the twice degraded LR.
    Raises:
        UdeansrError: if not even a small slab is left, telling how large an LR has to be.
    """
    task, scale = configuration.task, configuration.task.factors.zyx
    coarse = [side // factor for side, factor in zip(shape, scale, strict=True)]
    slices, *sides = (min(coarse[view[axis]] for view in task.views) for axis in range(3))
    y, x = (min(wanted, side) for wanted, side in zip(configuration.size.patch_size, sides, strict=True))
    if task.rotate90:
        y = x = min(y, x)
    rows, columns = (min(SMALLEST_SIDE, side) for side in configuration.size.patch_size)
    if slices < task.slab_slices or y < rows or x < columns:
        needed = [n * factor for n, factor in zip(task.least_lr_voxels((rows, columns)), scale, strict=True)]
        raise UdeansrError(
            f"{_shown(shape)} voxels (slices first) are too few for {method_name}, which learns on the LR degraded "
            f"once more by {configuration.task.scale}; expected at least {_shown(needed)}. Predict it with a trained "
            f"method, or interpolate: --method sinc --scale {configuration.task.scale}"
        )
    return y, x


class ZeroShotPairs:
    """Batches of slabs of (LR, LR degraded once more); batch i depends on the volume, the seed and i alone.

    Args:
        lr: (Z, Y, X) normalised, slab axis first; what of it does not divide by the scale is left out.
        configuration: gives slab, patch, scale, batch size and turns.
        seed: of the batches.
        augment: mirror and turn the slabs of a pair alike, and change their gain.
    """

    def __init__(self, lr: np.ndarray, configuration: Configuration, seed: int, augment: bool) -> None:
        self._configuration, self._seed, self._augment = configuration, seed, augment
        scale = configuration.task.factors
        whole = tuple(slice(side - side % factor) for side, factor in zip(lr.shape, scale.zyx, strict=True))
        self._lr = lr[whole]
        self._degraded = truncate_kspace(self._lr, scale)
        self._foreground = draw_foreground(lr, "zero-shot")

    def batch(self, number: int) -> Batch:
        """The LR as ``hr``; the LR degraded once more as ``lr`` and ``degraded``."""
        rng = np.random.default_rng((self._seed, number))
        drawn = [self._draw(rng) for _ in range(self._configuration.size.batch_size)]
        fine, coarse = (torch.from_numpy(np.stack(slabs)) for slabs in zip(*drawn, strict=True))
        return Batch(hr=fine, lr=coarse, degraded=coarse)

    def _draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Two slabs of one field of view, transformed alike."""
        shape = (self._configuration.task.slab_slices, *self._configuration.size.patch_size)
        view = draw_view(self._configuration.task.views, rng)
        pair = draw_pair(seen(self._lr, view), seen(self._degraded, view), self._foreground[:, view], shape, rng)
        if not self._augment:
            return list(pair)
        gain, seed = np.float32(draw_gain(rng)), int(rng.integers(2**63))
        return [
            gain * mirror_and_rotate(slab, np.random.default_rng(seed), self._configuration.task.rotate90)
            for slab in pair
        ]


def _shown(shape: tuple[int, ...] | list[int]) -> str:
    return " x ".join(map(str, shape))


def median_of_transforms(
    super_resolve: Callable[[np.ndarray], np.ndarray], lr: np.ndarray, rotate90: bool
) -> np.ndarray:
    """Super-resolve a volume flipped and rotated in its plane, invert the predictions, and take their median.

    Args:
        super_resolve: (Z, Y, X) -> (Z * sz, Y * sy, X * sx).
        lr: (Z, Y, X).
        rotate90: the eight flips and turns by right angles in the plane; else the four flips.
    Returns: (Z * sz, Y * sy, X * sx).
    Source: the geometric self-ensemble of Shocher et al., CVPR 2018.
    """
    transforms = [transform for transform in all_transforms(rotate90) if 0 not in transform.mirrored]
    shown = torch.from_numpy(np.ascontiguousarray(lr))
    predictions = [
        transform.invert(torch.from_numpy(super_resolve(transform.apply(shown).numpy()))).numpy()
        for transform in transforms
    ]
    return np.median(predictions, axis=0)


def back_projected(sr: np.ndarray, lr: np.ndarray, scale: Scale, times: int) -> np.ndarray:
    """Add to SR, again and again, what its own LR misses of the LR.

    SR is degraded by k-space truncation and the rest goes up by zero filling, which is the way back from it: the
    centre of k-space becomes that of the LR, what SR adds outside stays. One time does nearly all; only the
    highest lines of even sides, which truncation halves, take more.

    Args:
        sr: (Z * sz, Y * sy, X * sx).
        lr: (Z, Y, X), same unit.
        scale: between the two.
        times: how often; 0 changes nothing.
    Returns: (Z * sz, Y * sy, X * sx) float32.
    Source: Irani and Peleg, CVGIP 53(3), 1991, as Shocher et al., CVPR 2018, apply it.
    """
    for _ in range(times):
        sr = sr + sinc(lr - truncate_kspace(sr, scale), scale)
    return sr


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
    sr = median_of_transforms(by_learned, lr, method.configuration.task.rotate90) if settings.median else by_learned(lr)
    return back_projected(sr, lr, method.configuration.task.factors, settings.back_projections)


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
    assert run.learning_rate and run.batch_size and run.ema_decay is not None, "settings are not resolved"
    own = method.configuration.changed(
        patch_size=fitting_patch(method.name, method.configuration, lr.shape),
        batch_size=run.batch_size,
    )
    learner = type(method)(own, method.settings)
    learner.load_state_dict(method.state_dict())
    trainer = Trainer(
        learner,
        learning_rate=run.learning_rate,
        device=torch.device(device),
        precision=precision,
        clip=run.clip,
        ema_decay=run.ema_decay,
    )
    pairs = ZeroShotPairs(lr, own, run.seed, bool(run.augment))
    again = f"udeansr_train --method {method.name} --overwrite"
    remedies = Remedies(
        memory=f"begin again with fewer: {again} --batch-size",
        astray=f"begin again with a lower rate: {again} --learning-rate 0.0001",
    )
    return learn(trainer, pairs.batch, method.settings.iterations, run.learning_rate, name=name, remedies=remedies)
