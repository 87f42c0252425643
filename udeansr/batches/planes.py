"""Pairs of planes from thick-slice volumes: planes of their slices, and the same degraded along one axis as slices are.

What lies in the plane of the slices is the truth; degraded along one of its axes by the slice profile, and sampled at
the distance of slices, it is what a plane across the slices looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from udeansr.batches.augmentation import draw_gain
from udeansr.batches.batch import Batch
from udeansr.degradation.slice_profile import acquire_slices
from udeansr.degradation.true_resolution import noise_sigma, resolved_fraction
from udeansr.image.resampling import respacing_weights

RESOLVED_ALIKE = 1.15
"""An in-plane axis teaches if its true resolution is no more than this times that of the better one."""

EMPTY = 0.03
"""Mean of a patch of air, normalised; nine of ten such are passed over."""

_TRIES = 20


@dataclass(frozen=True)
class Planes:
    """The pairs of one volume and one in-plane axis.

    Attributes:
        hr: (planes, rows * factor, columns) float32, normalised: rows at the spacing that is made.
        lr: (planes, rows, columns): degraded along the rows.
        noise: standard deviation of what the degraded ones lack of the noise of slices.
    """

    hr: np.ndarray
    lr: np.ndarray
    noise: float


def teaching_axes(lr: np.ndarray, spacing_mm: Sequence[float]) -> tuple[int, ...]:
    """The in-plane axes (1, 2) along which a volume is truly as fine as it is along the better of the two.

    Args:
        lr: (Z, Y, X), slices first.
        spacing_mm: (Z, Y, X).
    """
    true_mm = {axis: spacing_mm[axis] / resolved_fraction(lr, axis) for axis in (1, 2)}
    return tuple(axis for axis, mm in true_mm.items() if mm <= RESOLVED_ALIKE * min(true_mm.values()))


def planes_of(
    lr: np.ndarray, spacing_mm: Sequence[float], factor: int, thickness: float, axes: Sequence[int]
) -> list[Planes]:
    """The pairs that a volume teaches, in the planes of its slices.

    Args:
        lr: (Z, Y, X) normalised, slices first.
        spacing_mm: (Z, Y, X).
        factor: slices that are made of one.
        thickness: full width at half maximum of the slice profile over the distance of slices.
        axes: in-plane axes that teach, see :func:`teaching_axes`.
    """
    sigma = noise_sigma(lr)
    pairs = []
    for axis in axes:
        weights = respacing_weights(lr.shape[axis], spacing_mm[0] / factor / spacing_mm[axis])
        weights = weights[: len(weights) // factor * factor]
        hr = np.tensordot(lr, weights, axes=(axis, 1)).transpose(0, 2, 1)  # its rows run along the axis
        coarse = acquire_slices(hr, factor, thickness * factor, axis=1)
        kept = np.square(acquire_slices(np.eye(len(weights)), factor, thickness * factor) @ weights).sum(1).mean()
        lacking = sigma * float(np.sqrt(max(0.0, 1 - kept)))
        pairs.append(Planes(np.ascontiguousarray(hr, np.float32), coarse, lacking))
    return pairs


class PlanePairs:
    """Batches of patches of such pairs; batch i depends on the planes, the seed and i alone.

    Args:
        planes: of all volumes.
        patch: (rows, columns) of the LR; of smaller planes, as much as they have.
        factor: HR rows for one LR row.
        batch_size: patches in a batch.
        seed: of the batches.
    """

    def __init__(
        self, planes: Sequence[Planes], patch: tuple[int, int], factor: int, batch_size: int, seed: int
    ) -> None:
        rows, columns = (min(side, *(pair.lr.shape[1 + i] for pair in planes)) for i, side in enumerate(patch))
        self._planes, self._patch, self._factor = planes, (rows, columns), factor
        self._batch_size, self._seed = batch_size, seed

    def batch(self, number: int) -> Batch:
        """(B, 1, rows * factor, columns) as ``hr``, the degraded (B, 1, rows, columns) as ``lr``."""
        rng = np.random.default_rng((self._seed, number))
        fine, coarse = zip(*(self._draw(rng) for _ in range(self._batch_size)), strict=True)
        return Batch(*(torch.from_numpy(np.stack(patches)[:, None]) for patches in (fine, coarse)))

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One patch, mirrored or not, its gain changed, with the noise that slices have."""
        pair, fine, coarse = self._place(rng)
        coarse = coarse + rng.standard_normal(coarse.shape, dtype=np.float32) * np.float32(pair.noise)
        for axis in (0, 1):
            if rng.random() < 0.5:
                fine, coarse = np.flip(fine, axis), np.flip(coarse, axis)
        gain = np.float32(draw_gain(rng))
        return fine * gain, coarse * gain

    def _place(self, rng: np.random.Generator) -> tuple[Planes, np.ndarray, np.ndarray]:
        """Where a patch is; air is mostly passed over."""
        rows, columns = self._patch
        for tries in range(_TRIES):
            pair = self._planes[int(rng.integers(len(self._planes)))]
            plane, y, x = (rng.integers(n) for n in np.subtract(pair.lr.shape, (0, rows - 1, columns - 1)))
            coarse = pair.lr[plane, y : y + rows, x : x + columns]
            if coarse.mean() >= EMPTY or rng.random() < 0.1 or tries == _TRIES - 1:
                fine = pair.hr[plane, y * self._factor : (y + rows) * self._factor, x : x + columns]
                return pair, fine, coarse
        raise AssertionError("the last try takes what it finds")
