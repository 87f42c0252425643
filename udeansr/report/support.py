"""Where SR shows what its LR does not support: it contradicts the LR, or adds detail where the LR is smooth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy import ndimage

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.cropping import foreground_mask
from udeansr.image.resampling import sinc
from udeansr.report.pair import Pair

SMOOTHED = 1.0
"""Standard deviation of the Gaussian over which both are summed up, LR voxels: an error has some extent, noise none."""

CLASSES = 24
"""Of the LR's local roughness, within which the detail of SR is compared."""

CELLS = 16
"""Of |f| / Nyquist along each axis, in which detail is held against what is usual."""

LEAST_POWER = 1e-6
"""Of that of the strongest cell: what has less is not raised."""

DOUBTED = 5.0
"""Standard deviations from which on a place is doubted."""

_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

_LEAST_SPREAD = 0.15
"""Of the logarithm of an amplitude: 15 % more or less is no news."""


@dataclass(frozen=True)
class Support:
    """What the LR says of each place of SR; all on the grid of the LR.

    Attributes:
        contradiction: SR, degraded, less its LR, in standard deviations of the LR's noise (or of what usually differs,
            where that is more); positive where SR is too bright.
        added: detail above the band of the LR, each frequency by what is usual for it in this SR, against what SR adds
            elsewhere where the LR is as rough as here, in standard deviations.
        foreground: where there is an object.
    """

    contradiction: np.ndarray
    added: np.ndarray
    foreground: np.ndarray

    @property
    def doubt(self) -> np.ndarray:
        """The larger of both, at least 0: the map of what may be invented or left out."""
        return np.where(self.foreground, np.maximum(np.maximum(np.abs(self.contradiction), self.added), 0), 0)

    @property
    def doubted_part(self) -> float:
        """Part of the foreground in which the doubt is above :data:`DOUBTED`."""
        return float(np.mean(self.doubt[self.foreground] > DOUBTED)) if self.foreground.any() else 0.0


def measure_support(pair: Pair) -> Support:
    """Hold every place of an SR to its LR."""
    foreground = ndimage.binary_erosion(foreground_mask(ndimage.gaussian_filter(pair.lr, SMOOTHED)))
    return Support(_contradiction(pair, foreground), _added(pair, foreground), foreground)


def _contradiction(pair: Pair, foreground: np.ndarray) -> np.ndarray:
    difference = ndimage.gaussian_filter(pair.degraded() - pair.lr, SMOOTHED)
    inside = difference[foreground] if foreground.any() else difference
    usual = _MAD * float(np.median(np.abs(inside - np.median(inside))))
    return difference / max(usual, pair.noise * _left_of_noise(), 1e-6)


def _left_of_noise() -> float:
    """What the smoothing leaves of the standard deviation of white noise."""
    point = np.zeros((13, 13, 13), np.float32)
    point[6, 6, 6] = 1
    return float(np.sqrt(np.square(ndimage.gaussian_filter(point, SMOOTHED)).sum()))


def _added(pair: Pair, foreground: np.ndarray) -> np.ndarray:
    above = whitened(pair.sr - sinc(truncate_kspace(pair.sr, pair.scale), pair.scale))
    detail = np.log(np.sqrt(_local_power(_merged(np.square(above), pair.scale.zyx))) + 1e-6)
    rough = np.log(np.sqrt(_local_power(np.square(pair.lr - ndimage.gaussian_filter(pair.lr, 1.0)))) + 1e-6)
    added = np.zeros(pair.lr.shape)
    if foreground.sum() < 8 * CLASSES:
        return added
    borders = np.quantile(rough[foreground], np.linspace(0, 1, CLASSES + 1)[1:-1])
    kind = np.digitize(rough, borders)
    for number in range(CLASSES):
        own = detail[foreground & (kind == number)]
        if own.size:
            middle = np.median(own)
            spread = max(_MAD * float(np.median(np.abs(own - middle))), _LEAST_SPREAD)
            added = np.where(kind == number, (detail - middle) / spread, added)
    return added


def whitened(image: np.ndarray) -> np.ndarray:
    """An image whose spectrum is made flat over its cells: what is unusual for its frequency stands out.

    Args:
        image: (Z, Y, X), any unit.
    Returns: of the same shape, with a standard deviation of 1; zeros of zeros.
    """
    kspace = np.asarray(scipy.fft.rfftn(image.astype(np.float32)))
    sides = [np.abs(np.fft.fftfreq(n))[: kspace.shape[axis]] for axis, n in enumerate(image.shape)]
    z, y, x = (np.minimum((2 * CELLS * side).astype(int), CELLS - 1) for side in sides)
    cell = ((z[:, None, None] * CELLS + y[:, None]) * CELLS + x).ravel()
    count = np.maximum(np.bincount(cell, minlength=CELLS**3), 1)
    power = np.bincount(cell, np.square(np.abs(kspace)).ravel(), CELLS**3) / count
    least = max(float(power.max()) * LEAST_POWER, np.finfo(np.float32).tiny)
    weight = (1 / np.sqrt(np.maximum(power, least)))[cell].reshape(kspace.shape).astype(np.float32)
    flat = np.asarray(scipy.fft.irfftn(kspace * weight, image.shape))
    return flat / max(float(flat.std()), np.finfo(np.float32).tiny)


def _local_power(power: np.ndarray) -> np.ndarray:
    return np.maximum(ndimage.gaussian_filter(power.astype(np.float32), SMOOTHED), 0)


def _merged(fine: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """The mean over the SR voxels of each LR voxel."""
    sides = [part for n, s in zip(fine.shape, factors, strict=True) for part in (n // s, s)]
    return fine.reshape(sides).mean((1, 3, 5))
