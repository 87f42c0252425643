"""Slabs of one LR volume and of the same, degraded once more. Knows arrays; knows no network and no file."""

from __future__ import annotations

import numpy as np
import torch

from udeansr.batches.augmentation import draw_gain, move
from udeansr.batches.batch import Batch
from udeansr.batches.slabs import draw_pair
from udeansr.degradation.kspace import truncate_kspace
from udeansr.errors import UdeansrError
from udeansr.planning.plan import Configuration
from udeansr.preprocessing.preprocessor import draw_foreground

SMALLEST_SIDE = 8
"""Pixels of a patch of the twice degraded LR; at x2 its answer is then hardly wider than the window of SSIM."""


def fitting_patch(method_name: str, configuration: Configuration, shape: tuple[int, ...]) -> tuple[int, int]:
    """The plan's patch, or as much of it as the LR holds when it is degraded once more.

    Channel attention pools windows of a patch: a network that was made for larger ones would see other means in the LR.

    Args:
        method_name: for the message.
        configuration: tells slab, patch, scale, and whether patches are turned and so must be square.
        shape: (Z, Y, X) of the LR.
    Returns: (Y, X) in voxels of the twice degraded LR.
    Raises:
        UdeansrError: if not even a small slab is left, telling how large an LR has to be.
    """
    scale = configuration.factors.zyx
    slices, *sides = (side // factor for side, factor in zip(shape, scale, strict=True))
    y, x = (min(wanted, side) for wanted, side in zip(configuration.patch_size, sides, strict=True))
    if configuration.turns:
        y = x = min(y, x)
    least = (configuration.slab_slices, *(min(SMALLEST_SIDE, side) for side in configuration.patch_size))
    if slices < least[0] or y < least[1] or x < least[2]:
        needed = [side * factor for side, factor in zip(least, scale, strict=True)]
        raise UdeansrError(
            f"{_shown(shape)} voxels (slices first) are too few for {method_name}, which learns on the LR degraded "
            f"once more by {configuration.scale}; expected at least {_shown(needed)}. Predict it with a trained "
            f"method, or interpolate: --method sinc --scale {configuration.scale}"
        )
    return y, x


class ZeroShotPairs:
    """Batches of slabs of (LR, LR degraded once more); batch i depends on the volume, the seed and i alone.

    Args:
        lr: (Z, Y, X) normalised, slab axis first; what of it does not divide by the scale is left out.
        configuration: tells slab, patch, scale, batch size and turns.
        seed: of the batches.
        augment: mirror and turn the slabs of a pair alike, and change their gain.
    """

    def __init__(self, lr: np.ndarray, configuration: Configuration, seed: int, augment: bool) -> None:
        self._configuration, self._seed, self._augment = configuration, seed, augment
        scale = configuration.factors
        whole = tuple(slice(side - side % factor) for side, factor in zip(lr.shape, scale.zyx, strict=True))
        self._lr = lr[whole]
        self._degraded = truncate_kspace(self._lr, scale)
        self._foreground = draw_foreground(lr, "zero-shot")

    def batch(self, number: int) -> Batch:
        """The LR as ``hr``; the LR degraded once more as ``lr`` and ``degraded``."""
        rng = np.random.default_rng((self._seed, number))
        drawn = [self._draw(rng) for _ in range(self._configuration.batch_size)]
        fine, coarse = (torch.from_numpy(np.stack(slabs)) for slabs in zip(*drawn, strict=True))
        return Batch(hr=fine, lr=coarse, degraded=coarse)

    def _draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Two slabs of one field of view, moved alike."""
        shape = (self._configuration.slab_slices, *self._configuration.patch_size)
        pair = draw_pair(self._lr, self._degraded, self._foreground, shape, rng)
        if not self._augment:
            return list(pair)
        gain, seed = np.float32(draw_gain(rng)), int(rng.integers(2**63))
        return [gain * move(slab, np.random.default_rng(seed), self._configuration.turns) for slab in pair]


def _shown(shape: tuple[int, ...] | list[int]) -> str:
    return " x ".join(map(str, shape))
