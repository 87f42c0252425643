"""The tone curve: how the contrast of one cohort becomes that of another, from intensities of people in only one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udeansr.degradation.spectrum import cohorts_p
from udeansr.image.cropping import FOREGROUND_LEVEL
from udeansr.image.normalization import PERCENTILE, intensity_scale
from udeansr.image.volume import Volume
from udeansr.strict_json import NonNegativeFloat

NODES = 17
"""Of a curve, evenly from 0 to 1."""

LEAST_TONE = 0.02
"""Root mean square over quantiles of the foreground, normalised intensity, below which a curve is not worth having."""

_SAMPLE, _AIR = 1024, 0.01
"""Intensities that are drawn of a volume, and the part of its 99.9th percentile that they lie above."""

_QUANTILES = np.append(np.linspace(1, 99, 50), PERCENTILE)
_POWERS, _BOUNDS, _STIFFNESS = 6, (0.2, 5.0), 0.1
"""A curve has so many powers within such bounds; neighbours are held together, as few voxels are dark."""


@dataclass(frozen=True)
class ToneCurve:
    """A map of normalised intensity that never falls, from 0 to 0 and from 1 to 1.

    Attributes:
        values: at :data:`NODES` places, evenly from 0 to 1; smooth between them, straight beyond 1.

    Raises:
        ValueError: if it is no such map.
    """

    values: tuple[NonNegativeFloat, ...]

    def __post_init__(self) -> None:
        """Refuse another number of values, and a curve that falls."""
        if len(self.values) != NODES or self.values[0] != 0 or self.values[-1] != 1 or (np.diff(self.values) < 0).any():
            raise ValueError(f"a tone curve has {NODES} values that never fall, the first 0, the last 1")

    def __call__(self, normalised: np.ndarray) -> np.ndarray:
        """Map intensities.

        Args:
            normalised: any shape, such that the 99.5th percentile of the foreground is 1.
        Returns: float32.
        """
        from scipy.interpolate import PchipInterpolator  # not at the top: it takes a second to import

        places = np.linspace(0, 1, NODES)
        first, last = self.values[1] / places[1], (1 - self.values[-2]) / places[1]
        within = PchipInterpolator(places, self.values)(np.clip(normalised, 0, 1))
        beyond = np.minimum(normalised, 0) * first + np.maximum(normalised - 1, 0) * last
        return np.asarray(within + beyond, dtype=np.float32)

    def after(self, first: ToneCurve | None) -> ToneCurve:
        """The map that does another's work first, and then this one's."""
        return self if first is None else _curve(np.interp(first.values, np.linspace(0, 1, NODES), self.values))


def toned(volume: Volume, tone: ToneCurve | None) -> Volume:
    """A volume in the contrast that a tone curve leads to; its intensity scale stays. None leaves it as it is.

    Raises:
        ValueError: if there is a curve and no voxel is positive.
    """
    if tone is None:
        return volume
    unit = np.float32(intensity_scale(volume.voxels))
    return Volume(tone(volume.voxels / unit) * unit, volume.geometry)


def intensity_sample(voxels: np.ndarray) -> np.ndarray:
    """Intensities of one volume, of which quantiles after any tone curve can be found.

    Args:
        voxels: (Z, Y, X), any unit, not all zero.
    Returns: (1025,): intensities, rising, evenly drawn from what lies above the air, and last the 99.9th percentile of
        all voxels, by which :func:`udeansr.image.cropping.foreground_mask` finds the foreground.
    Raises:
        ValueError: if no voxel is positive.
    """
    peak = float(np.percentile(voxels, 99.9))
    if peak <= 0:
        raise ValueError("no voxel is positive")
    drawn = np.percentile(voxels[voxels > _AIR * peak], np.linspace(0, 100, _SAMPLE))
    return np.append(drawn, peak).astype(np.float64)


def find_tone(
    degraded_hr: Sequence[np.ndarray], lr: Sequence[np.ndarray], first: ToneCurve | None = None
) -> tuple[ToneCurve, float | None, float]:
    """Find the tone curve from degraded HR to LR. No subject need be in both.

    Fitted to quantiles of the foreground, the mean over subjects. What belongs to the foreground hangs on the curve.

    Args:
        degraded_hr: :func:`intensity_sample` of each volume of HR, degraded as measured.
        lr: of each LR.
        first: what the HR went through before it was degraded; the result contains it.
    Returns: the curve, the p of the hypothesis that subjects differ as much by chance (None of too few), and the root
        mean square over quantiles that the cohorts are apart.
    Source: histogram matching, of cohorts instead of images; Nyul and Udupa, Magn. Reson. Med. 42, 1999.
    """
    wanted = np.stack([_quantiles(sample) for sample in lr])
    found = np.stack([_quantiles(sample) for sample in degraded_hr])
    apart = float(np.sqrt(np.mean((found.mean(axis=0) - wanted.mean(axis=0)) ** 2)))
    samples = np.stack([_normalised(one) for one in degraded_hr])
    level = wanted.mean(axis=0)

    def misfit(powers: np.ndarray) -> np.ndarray:
        seen = np.mean([_quantiles(_raised(one, powers)) for one in samples], axis=0)
        return np.append(seen - level, _STIFFNESS * np.diff(powers))

    from scipy.optimize import least_squares  # not at the top: it takes a second to import

    powers = least_squares(misfit, np.ones(_POWERS), bounds=_BOUNDS, diff_step=0.01).x  # pyright: ignore[reportArgumentType] its stub
    return _curve(_raised(np.linspace(0, 1, NODES), powers)).after(first), cohorts_p(found, wanted), apart


def _normalised(sample: np.ndarray) -> np.ndarray:
    """A sample over the level that becomes 1."""
    return sample / np.percentile(_foreground(sample), PERCENTILE)


def _foreground(sample: np.ndarray) -> np.ndarray:
    return sample[:-1][sample[:-1] > FOREGROUND_LEVEL * sample[-1]]


def _quantiles(sample: np.ndarray) -> np.ndarray:
    """Of the foreground, the last of them 1."""
    found = np.percentile(_foreground(sample), _QUANTILES)
    return found / found[-1]


def _raised(normalised: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Intensities, each to a power that hangs smoothly on it: a straight line or a gamma is a single power."""
    within = np.clip(normalised, 0, 1)
    power = np.interp(within, np.linspace(0, 1, len(powers)), powers)
    return within**power + powers[-1] * np.maximum(normalised - 1, 0)


def _curve(values: np.ndarray) -> ToneCurve:
    rising = np.maximum.accumulate(np.clip(values, 0, 1))
    rising[0], rising[-1] = 0.0, 1.0
    return ToneCurve(tuple(round(float(value), 4) for value in rising))
