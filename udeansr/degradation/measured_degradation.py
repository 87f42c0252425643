"""The measured degradation: what an LR scanner did beyond truncation, measured unpaired, applied and undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft

from udeansr.degradation.spectrum import mean_spectrum
from udeansr.image.volume import triple
from udeansr.strict_json import NonNegativeFloat

Curve = tuple[NonNegativeFloat, ...]


@dataclass(frozen=True)
class MeasuredDegradation:
    """What the LR scanner did beyond measuring the centre of k-space, as far as magnitudes can tell.

    Attributes:
        frequencies: centres of the bins of |f| / Nyquist of the LR.
        transfer: the factor left of an amplitude at each of these along (Z, Y, X); never rises, starts at 1.
        width_mm: full width at half maximum of the point spread along (Z, Y, X): that of the transfer and of the
            truncation of k-space together. The truncation alone has 1.21 LR voxels.
        noise: standard deviation of the noise of each complex channel, in normalised intensity of the LR.
        gain: level of the normalised LR over that of the normalised HR.
        residual: root mean square of what the model leaves of the log power, decades.
    """

    frequencies: Curve
    transfer: tuple[Curve, Curve, Curve]
    width_mm: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat]
    noise: NonNegativeFloat
    gain: NonNegativeFloat
    residual: NonNegativeFloat

    def __post_init__(self) -> None:
        """Refuse curves of several lengths, or of none."""
        if {len(curve) for curve in self.transfer} != {len(self.frequencies)} or not self.frequencies:
            raise ValueError("the curves of 'transfer' are not as long as 'frequencies'")


def measure_degradation(
    truncated_hr_spectra: Sequence[np.ndarray],
    lr_spectra: Sequence[np.ndarray],
    lr_spacing_mm: tuple[float, float, float],
) -> MeasuredDegradation:
    """Measure what turned one cohort's HR into another cohort's LR. No subject need be in both.

    The mean power of the LR is taken as ``gain^2 P_HR H_z^2 H_y^2 H_x^2 + noise^2`` with H that never rise, and fitted
    by least squares on its logarithm, with the scatter of both cohorts. H is 1 in the first bin of each axis.

    Args:
        truncated_hr_spectra: :func:`log_spectrum` of HR volumes truncated to the LR's k-space, at least one.
        lr_spectra: :func:`log_spectrum` of LR volumes, at least one.
        lr_spacing_mm: (Z, Y, X).
    Raises:
        ValueError: if a cohort is empty or no cell is filled in both.
    Source: documentation/degradation.md.
    """
    hr_share = len(lr_spectra) / (len(truncated_hr_spectra) + len(lr_spectra))
    model = _PowerModel(mean_spectrum(truncated_hr_spectra), mean_spectrum(lr_spectra), hr_share)
    parameters = model.fit()
    curves = model.transfer(parameters)
    widths = [width_voxels(model.frequencies, curve) * mm for curve, mm in zip(curves, lr_spacing_mm, strict=True)]
    return MeasuredDegradation(
        frequencies=_floats(model.frequencies),
        transfer=(_floats(curves[0]), _floats(curves[1]), _floats(curves[2])),
        width_mm=triple(widths),
        noise=float(np.exp(parameters[1])),
        gain=float(np.exp(parameters[0])),
        residual=float(np.sqrt(np.mean(model.log_misfit(parameters) ** 2)) / np.log(10)),
    )


class _PowerModel:
    """Mean LR power as gain, noise and transfer functions make it of mean HR power, to be fitted by least squares.

    The HR spectrum is a mean over few subjects too. Taken as exact, its scatter would pass for a flatter relation: a
    noise that is not there and a steeper H. So each misfit is in units of its own scatter, which counts both cohorts
    ("effective variance", Orear, Am. J. Phys. 50, 1982): that of HR comes in as far as the cell is signal.

    Parameters: log gain, log noise, and for each axis the falls of -log H from one bin that is filled to the next.
    """

    def __init__(self, log_hr: np.ndarray, log_lr: np.ndarray, hr_share: float) -> None:
        """Keep the cells that both spectra fill.

        Args:
            log_hr: (bins, bins, bins) mean log spectrum of truncated HR.
            log_lr: of LR.
            hr_share: part of HR in the variance of the difference of the two.
        Raises:
            ValueError: if there is no such cell.
        """
        filled = np.isfinite(log_hr) & np.isfinite(log_lr)
        if not filled.any():
            raise ValueError("the two cohorts have no cell of the spectrum in common")
        bins = log_hr.shape[0]
        self.frequencies = (np.arange(bins) + 0.5) / bins
        self._hr_power, self._log_lr, self._hr_share = np.exp(log_hr[filled]), log_lr[filled], hr_share
        cells = np.nonzero(filled)
        self._bins = [np.unique(cell) for cell in cells]
        passed = [cell[:, None] >= present[None, 1:] for cell, present in zip(cells, self._bins, strict=True)]
        self._falls = np.concatenate(passed, axis=1).astype(float)

    def fit(self) -> np.ndarray:
        """The parameters of the least misfit."""
        count = self._falls.shape[1]
        start = np.concatenate([[0.0, self._log_lr.min() / 2], np.full(count, 0.02)])
        lowest = np.concatenate([[-10.0, start[1] - 10], np.zeros(count)])
        highest = np.concatenate([[10.0, start[1] + 10], np.full(count, 10.0)])
        from scipy.optimize import least_squares

        found = least_squares(self._misfit, start, self._jacobian, bounds=(lowest, highest))  # pyright: ignore[reportArgumentType] its stub
        return found.x

    def transfer(self, parameters: np.ndarray) -> list[np.ndarray]:
        """H along (Z, Y, X) at :attr:`frequencies`."""
        curves, first = [], 2
        for bins in self._bins:
            logs = np.concatenate([[0.0], -np.cumsum(parameters[first : first + len(bins) - 1])])
            first += len(bins) - 1
            curves.append(np.interp(self.frequencies, self.frequencies[bins], np.exp(logs)))
        return curves

    def log_misfit(self, parameters: np.ndarray) -> np.ndarray:
        """Log power of the model over that of the LR, for each cell."""
        return np.log(sum(self._powers(parameters))) - self._log_lr

    def _powers(self, parameters: np.ndarray) -> tuple[np.ndarray, float]:
        """Power of the signal in each cell, and of the noise."""
        log_gain, log_noise = parameters[:2]
        signal = self._hr_power * np.exp(2 * (log_gain - self._falls @ parameters[2:]))
        return signal, float(np.exp(2 * log_noise))

    def _scatter(self, signal_part: np.ndarray) -> np.ndarray:
        """Standard deviation of the misfit of cells, in units of that of one spectrum."""
        return np.sqrt(1 - self._hr_share + self._hr_share * signal_part**2)

    def _misfit(self, parameters: np.ndarray) -> np.ndarray:
        signal, noise = self._powers(parameters)
        return (np.log(signal + noise) - self._log_lr) / self._scatter(signal / (signal + noise))

    def _jacobian(self, parameters: np.ndarray) -> np.ndarray:
        signal, noise = self._powers(parameters)
        part = signal / (signal + noise)
        scatter = self._scatter(part)
        weight_change = self._misfit(parameters) * self._hr_share * part**2 * (1 - part) / scatter**2
        of_signal, of_noise = 2 * (part / scatter - weight_change), 2 * ((1 - part) / scatter + weight_change)
        return np.concatenate([of_signal[:, None], of_noise[:, None], -of_signal[:, None] * self._falls], axis=1)


def _floats(curve: np.ndarray) -> Curve:
    return tuple(float(number) for number in curve)


def width_voxels(frequencies: np.ndarray, transfer: np.ndarray) -> float:
    """Full width at half maximum of the point spread that a transfer function within the LR's band has.

    Args:
        frequencies: |f| / Nyquist, rising within 0 to 1.
        transfer: factor of the amplitude at these.
    Returns: LR voxels; 1.21 for a transfer of 1, the sinc of truncation alone.
    """
    fine = (np.arange(512) + 0.5) / 512
    weight = np.interp(fine, np.concatenate([[0.0], frequencies]), np.concatenate([[1.0], transfer]))
    distance = np.linspace(0, 2 * len(frequencies), 128 * len(frequencies))
    profile = np.cos(np.pi * np.outer(distance, fine)) @ weight
    after = int(np.argmax(profile < profile[0] / 2))
    between = (profile[after - 1] - profile[0] / 2) / (profile[after - 1] - profile[after])
    return float(2 * (distance[after - 1] + between * (distance[after] - distance[after - 1])))


def convolve(truncated: np.ndarray, measured: MeasuredDegradation) -> np.ndarray:
    """Blur an image as a scanner did: its k-space times the measured transfer function.

    Args:
        truncated: (Z, Y, X) on the LR grid, any unit.
        measured: transfer along these axes.
    Returns: float32, same unit, shape and mean; may ring below 0, as no magnitude is taken.
    """
    image = truncated.astype(np.float32)
    for axis, curve in enumerate(measured.transfer):
        size = image.shape[axis]
        frequency = np.arange(size // 2 + 1) * 2 / size
        factor = np.interp(frequency, (0.0, *measured.frequencies), (1.0, *curve)).astype(np.float32)
        shape = [-1 if i == axis else 1 for i in range(3)]
        image = np.asarray(scipy.fft.irfft(scipy.fft.rfft(image, axis=axis) * factor.reshape(shape), size, axis=axis))
    return image


def deconvolve(lr: np.ndarray, measured: MeasuredDegradation, log_spectrum: np.ndarray) -> np.ndarray:
    """Bring an LR volume to what a scanner that only truncates k-space would have given, by Wiener's filter.

    The way back from :func:`convolve`, as far as noise allows: where the transfer function left something above the
    noise it is raised again; where noise prevails, it is lowered.

    Args:
        lr: (Z, Y, X) normalised.
        measured: transfer, gain and noise of this volume.
        log_spectrum: (bins, bins, bins) of HR of such subjects, truncated to the LR's k-space
            (:func:`udeansr.degradation.spectrum.log_spectrum`): what to expect of the signal.
    Returns: float32, same shape, unit and level; may ring below 0.
    Source: Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949.
    """
    kspace = np.asarray(scipy.fft.rfftn(lr.astype(np.float32)))
    transfer = np.ones((1, 1, 1), np.float32)
    signal = np.float32(measured.gain**2) * np.exp(log_spectrum, dtype=np.float32)
    for axis, curve in enumerate(measured.transfer):
        size, bins = lr.shape[axis], log_spectrum.shape[axis]
        frequency = np.minimum(np.arange(size), size - np.arange(size)) * 2 / size
        if axis == 2:
            frequency = frequency[: kspace.shape[2]]
        factor = np.interp(frequency, (0.0, *measured.frequencies), (1.0, *curve)).astype(np.float32)
        transfer = transfer * factor.reshape([-1 if i == axis else 1 for i in range(3)])
        signal = signal.take(np.minimum((frequency * bins).astype(int), bins - 1), axis=axis)
    weight = transfer * signal / (transfer**2 * signal + np.float32(measured.noise) ** 2)
    weight[0, 0, 0] = 1.0
    return np.asarray(scipy.fft.irfftn(kspace * weight.astype(np.float32), lr.shape), dtype=np.float32)


def with_deconvolved(lr: np.ndarray, measured: MeasuredDegradation, log_spectrum: np.ndarray) -> np.ndarray:
    """The input of a network that deconvolves: :func:`deconvolve` of an LR, and the LR as it is.

    Args:
        lr: (Z, Y, X) normalised.
        measured: of this volume.
        log_spectrum: as for :func:`deconvolve`.
    Returns: (2, Z, Y, X) float32.
    """
    return np.stack([deconvolve(lr, measured, log_spectrum), lr.astype(np.float32)])


def add_rician_noise(image: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """The magnitude of an image in whose complex channels there is white noise.

    Args:
        image: any shape, real.
        noise: standard deviation in each channel, in the unit of the image.
        rng: draws it.
    Returns: float32, not negative.
    """
    channels = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(noise)
    return np.hypot(image + channels[0], channels[1]).astype(np.float32, copy=False)
