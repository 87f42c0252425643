"""What a training was made for, as measured on its subjects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.spectral_fit import measure_degradation
from udeansr.degradation.spectrum import foreground_spectrum, mean_spectrum
from udeansr.degradation.true_resolution import Resolved
from udeansr.image.cropping import middle
from udeansr.strict_json import Fraction, NonNegativeFloat, PositiveInt, read_json_as, write_json

DOMAIN_FILE = "domain.json"

_MIDDLE = 256
"""Voxels of an LR along each side that are enough to measure it by."""

_DECIMALS = 3
"""Of the natural logarithm of the power: a tenth of a percent."""


_MOST_LOG_POWER = 100.0
"""Natural logarithm of a power that no image has."""

_MOST_SUBJECTS = 1000
"""Of whose mean the scatter is told apart from none."""


@dataclass(frozen=True)
class Domain:
    """Facts about the subjects of a training, against which each LR that comes in is held.

    Attributes:
        contrast: in the words of BIDS, such as ``T1w``; None where nobody said.
        subjects: whose HR the spectrum is the mean of.
        log_spectrum: their mean :func:`~udeansr.degradation.spectrum.log_spectrum`, truncated to the LR's k-space.
        residual: what the measure leaves of the log power of a single LR, decades; three of four had no more. (LR of an
            ellipsoid of k-space, which the measure does not know, has several times as much.)
        noise: of each complex channel, normalised intensity; the most that was seen.
        lowest_transfer: along (Z, Y, X), mean of the transfer over the LR's k-space; the least that was seen.
        resolved_fraction: part of its Nyquist frequency up to which a typical target LR holds anything, along
            (Z, Y, X); below 1 its scanner interpolated it. None: nobody measured it.
    """

    contrast: str | None
    subjects: PositiveInt
    log_spectrum: tuple[tuple[tuple[float, ...], ...], ...]
    residual: NonNegativeFloat
    noise: NonNegativeFloat
    lowest_transfer: tuple[Fraction, Fraction, Fraction]
    resolved_fraction: tuple[Resolved, Resolved, Resolved] | None = None

    def __post_init__(self) -> None:
        """Refuse a spectrum that is no block."""
        rows = {len(row) for plane in self.log_spectrum for row in plane}
        if len({len(plane) for plane in self.log_spectrum}) != 1 or len(rows) != 1 or not self.spectrum.size:
            raise ValueError("'log_spectrum' is no block of numbers")
        if np.abs(self.spectrum).max() > _MOST_LOG_POWER:
            raise ValueError(f"'log_spectrum' has a number beyond {_MOST_LOG_POWER:g}")

    @property
    def spectrum(self) -> np.ndarray:
        """``log_spectrum`` as an array."""
        return np.asarray(self.log_spectrum)

    def measure(self, lr: np.ndarray, lr_spacing_mm: tuple[float, float, float]) -> MeasuredDegradation:
        """Measure what the scanner of one LR did beyond truncation, against the mean of the subjects.

        Of a large LR the middle is looked at.

        Args:
            lr: (Z, Y, X), slab axis first, any unit.
            lr_spacing_mm: (Z, Y, X).
        Raises:
            ValueError: if no voxel is positive.
        """
        return _measured(foreground_spectrum(middle(lr, (_MIDDLE, _MIDDLE, _MIDDLE))), self, lr_spacing_mm)

    def widened(self, measured: Iterable[MeasuredDegradation]) -> Domain:
        """The domain, its limits set by what was measured of each LR that belongs to it.

        Raises:
            ValueError: if there is none.
        """
        seen = list(measured)
        if not seen:
            raise ValueError("a domain without LR has no limits")
        z, y, x = np.min([mean_transfer(one) for one in seen], axis=0)
        return replace(
            self,
            residual=float(np.percentile([one.residual for one in seen], 75)),
            noise=max(one.noise for one in seen),
            lowest_transfer=(float(z), float(y), float(x)),
        )

    def save(self, path: Path) -> None:
        """Write the facts as JSON, whole or not at all; the folder is made."""
        write_json(self, path)

    @classmethod
    def load(cls, path: Path) -> Domain:
        """Read ``domain.json``.

        Raises:
            UdeansrError: if it is missing or holds something else.
        """
        return read_json_as(cls, path, "domain", "udeansr_plan_and_preprocess -d DATASET")


def find_domain(
    hr_spectra: Sequence[np.ndarray],
    lr_spectra: Sequence[np.ndarray],
    lr_spacing_mm: tuple[float, float, float],
    contrast: str | None,
) -> Domain:
    """The domain of two cohorts; its limits are those of the single LR.

    Args:
        hr_spectra: :func:`log_spectrum` of HR truncated to the LR's k-space.
        lr_spectra: of LR.
        lr_spacing_mm: (Z, Y, X).
        contrast: in the words of BIDS, or None.
    Raises:
        ValueError: if a cohort is empty.
    """
    domain = Domain(contrast, len(hr_spectra), _block(_filled(mean_spectrum(hr_spectra))), 0.0, 0.0, (1.0, 1.0, 1.0))
    return domain.widened(_measured(spectrum, domain, lr_spacing_mm) for spectrum in lr_spectra)


def mean_transfer(measured: MeasuredDegradation) -> tuple[float, float, float]:
    """The mean of each axis' transfer over the LR's k-space; its single bins scatter more."""
    z, y, x = (float(np.mean(curve)) for curve in measured.transfer)
    return z, y, x


def _measured(
    lr_spectrum: np.ndarray, domain: Domain, lr_spacing_mm: tuple[float, float, float]
) -> MeasuredDegradation:
    """One LR against the mean of the subjects, which scatters the less the more they are."""
    return measure_degradation([domain.spectrum] * min(domain.subjects, _MOST_SUBJECTS), [lr_spectrum], lr_spacing_mm)


def _filled(spectrum: np.ndarray) -> np.ndarray:
    """Cells that no volume was large enough to fill, along each axis from the filled ones beside them."""
    for axis in range(3):
        lines = np.moveaxis(spectrum, axis, -1).copy()
        for line in lines.reshape(-1, lines.shape[-1]):
            known = np.isfinite(line)
            if known.any():
                line[:] = np.interp(np.arange(len(line)), np.flatnonzero(known), line[known])
        spectrum = np.moveaxis(lines, -1, axis)
    return spectrum


def _block(spectrum: np.ndarray) -> tuple[tuple[tuple[float, ...], ...], ...]:
    return tuple(tuple(tuple(row) for row in plane) for plane in np.round(spectrum, _DECIMALS).tolist())
