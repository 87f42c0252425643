"""From the standard deviation of a network's predictions to the error to expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.strict_json import NonNegativeFloat

KNOTS = 24
"""Of the curve: each stands for as many voxels."""


@dataclass(frozen=True)
class Calibration:
    """A curve that never falls: what error was found, on subjects with truth, where predictions differed so far.

    Attributes:
        std: standard deviations of the predictions for one voxel, rising, normalised intensity.
        error: root mean square of the error that voxels of this spread had, normalised intensity.
        quality: of the predictions it was found on; the predictions of another quality differ otherwise.
    """

    std: tuple[NonNegativeFloat, ...]
    error: tuple[NonNegativeFloat, ...]
    quality: str = "best"

    def __post_init__(self) -> None:
        """Refuse what is no curve."""
        rising = all(a < b for a, b in zip(self.std, self.std[1:], strict=False))
        falls = any(a > b for a, b in zip(self.error, self.error[1:], strict=False))
        numbers = np.array([*self.std, *self.error])
        if not len(self.std) == len(self.error) > 0 or not rising or falls or not (numbers >= 0).all():
            raise UdeansrError(
                "calibration: expected 'std', rising, and 'error', never falling, two lists of numbers of at least "
                "0 and of one length"
            )

    def __call__(self, std: np.ndarray) -> np.ndarray:
        """The error to expect of voxels, one standard deviation; beyond the ends of the curve that of the ends.

        Args:
            std: any shape, normalised intensity.
        Returns: the same shape and unit, float32.
        """
        return np.interp(std, self.std, self.error).astype(np.float32)

    @classmethod
    def fitted(cls, std: np.ndarray, error: np.ndarray, quality: str = "best") -> Calibration:
        """The curve of voxels whose error is known.

        Args:
            std: (N,) of voxels of subjects with truth, normalised intensity.
            error: (N,) SR - HR of the same voxels.
            quality: of the predictions.
        Raises:
            ValueError: if there are fewer voxels than knots, or the two are of different length.
        """
        from scipy.optimize import isotonic_regression

        if len(std) != len(error) or len(std) < KNOTS:
            raise ValueError(f"{len(std)} spreads and {len(error)} errors; expected as many, at least {KNOTS}")
        order = np.argsort(std, kind="stable")
        parts = np.array_split(order, KNOTS)
        places = np.array([std[part].mean(dtype=np.float64) for part in parts])
        squares = np.array([np.mean(np.square(error[part], dtype=np.float64)) for part in parts])
        places, first = np.unique(places, return_index=True)
        squares = np.add.reduceat(squares, first) / np.diff([*first, KNOTS])
        return cls(_floats(places), _floats(np.sqrt(isotonic_regression(squares).x)), quality)


def smoothed_std(std: np.ndarray) -> np.ndarray:
    """A standard deviation with less chance in it: the variance is averaged with that of the voxels around.

    Args:
        std: (n, Y, X), standard deviations.
    Returns: the same shape: the root of the mean variance of 3 x 3 voxels of the slice.
    """
    from scipy import ndimage

    variance = np.square(std)
    for axis in (1, 2):
        variance = ndimage.uniform_filter1d(variance, 3, axis=axis, mode="nearest")
    return np.sqrt(np.maximum(variance, 0))


def _floats(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
