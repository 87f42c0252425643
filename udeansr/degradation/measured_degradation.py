"""What an LR scanner did beyond truncation: measured without pairs, applied, and undone (Wiener deconvolution)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft

from udeansr.degradation.spectrum import mean_spectrum
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


def blur_as_measured(truncated: np.ndarray, measured: MeasuredDegradation) -> np.ndarray:
    """Apply a measured transfer function.

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


def measure_degradation(
    truncated_hr_spectra: Sequence[np.ndarray],
    lr_spectra: Sequence[np.ndarray],
    lr_spacing_mm: tuple[float, float, float],
) -> MeasuredDegradation:
    """Measure what turned the one cohort's HR into the other cohort's LR. No person need be in both.

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
    log_hr, log_lr = mean_spectrum(truncated_hr_spectra), mean_spectrum(lr_spectra)
    filled = np.isfinite(log_hr) & np.isfinite(log_lr)
    if not filled.any():
        raise ValueError("the two cohorts have no cell of the spectrum in common")
    hr_power, log_lr, bins = np.exp(log_hr[filled]), log_lr[filled], log_hr.shape[0]
    # Parameters: log gain, log noise, and for each axis the falls of -log H from one bin that is filled to the next.
    cells = np.nonzero(filled)
    present = [np.unique(cell) for cell in cells]
    passed = [(cell[:, None] >= there[None, 1:]).astype(float) for cell, there in zip(cells, present, strict=True)]
    falls = np.concatenate(passed, axis=1)

    def powers(parameters: np.ndarray) -> tuple[np.ndarray, float]:
        log_gain, log_noise = parameters[:2]
        return hr_power * np.exp(2 * (log_gain - falls @ parameters[2:])), float(np.exp(2 * log_noise))

    # The HR spectrum is a mean over few people too. Taken as exact, its scatter would pass for a flatter relation: a
    # noise that is not there and a steeper H. So each misfit is in units of its own scatter, which counts both cohorts
    # ("effective variance", Orear, Am. J. Phys. 50, 1982): that of HR comes in as far as the cell is signal.
    of_hr = len(lr_spectra) / (len(truncated_hr_spectra) + len(lr_spectra))

    def misfit(parameters: np.ndarray) -> np.ndarray:
        signal, noise = powers(parameters)
        return (np.log(signal + noise) - log_lr) / _scatter(signal / (signal + noise), of_hr)

    def slope(parameters: np.ndarray) -> np.ndarray:
        signal, noise = powers(parameters)
        part = signal / (signal + noise)
        scatter = _scatter(part, of_hr)
        weight_change = misfit(parameters) * of_hr * part**2 * (1 - part) / scatter**2
        of_signal, of_noise = 2 * (part / scatter - weight_change), 2 * ((1 - part) / scatter + weight_change)
        return np.concatenate([of_signal[:, None], of_noise[:, None], -of_signal[:, None] * falls], axis=1)

    count = falls.shape[1]
    start = np.concatenate([[0.0, log_lr.min() / 2], np.full(count, 0.02)])
    lowest = np.concatenate([[-10.0, start[1] - 10], np.zeros(count)])
    highest = np.concatenate([[10.0, start[1] + 10], np.full(count, 10.0)])
    from scipy.optimize import least_squares

    fit = least_squares(misfit, start, slope, bounds=(lowest, highest))  # pyright: ignore[reportArgumentType] scipy's stub

    frequencies = (np.arange(bins) + 0.5) / bins
    curves, first = [], 2
    for there in present:
        logs = np.concatenate([[0.0], -np.cumsum(fit.x[first : first + len(there) - 1])])
        first += len(there) - 1
        curves.append(np.interp(frequencies, frequencies[there], np.exp(logs)))
    return MeasuredDegradation(
        frequencies=tuple(float(f) for f in frequencies),
        transfer=(_floats(curves[0]), _floats(curves[1]), _floats(curves[2])),
        width_mm=(
            width_voxels(frequencies, curves[0]) * lr_spacing_mm[0],
            width_voxels(frequencies, curves[1]) * lr_spacing_mm[1],
            width_voxels(frequencies, curves[2]) * lr_spacing_mm[2],
        ),
        noise=float(np.exp(fit.x[1])),
        gain=float(np.exp(fit.x[0])),
        residual=float(np.sqrt(np.mean((np.log(sum(powers(fit.x))) - log_lr) ** 2)) / np.log(10)),
    )


def _scatter(signal_part: np.ndarray, of_hr: float) -> np.ndarray:
    """Standard deviation of the misfit of cells, in units of that of one spectrum: ``of_hr`` is HR's part of it."""
    return np.sqrt(1 - of_hr + of_hr * signal_part**2)


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
    spread = np.cos(np.pi * np.outer(distance, fine)) @ weight
    after = int(np.argmax(spread < spread[0] / 2))
    between = (spread[after - 1] - spread[0] / 2) / (spread[after - 1] - spread[after])
    return float(2 * (distance[after - 1] + between * (distance[after] - distance[after - 1])))


def with_deconvolved(lr: np.ndarray, measured: MeasuredDegradation, log_spectrum: np.ndarray) -> np.ndarray:
    """What a network is shown of an LR: :func:`restored`, and the LR as it is.

    Args:
        lr: (Z, Y, X) normalised.
        measured: of this volume.
        log_spectrum: as for :func:`restored`.
    Returns: (2, Z, Y, X) float32.
    """
    return np.stack([restored(lr, measured, log_spectrum), lr.astype(np.float32)])


def restored(lr: np.ndarray, measured: MeasuredDegradation, log_spectrum: np.ndarray) -> np.ndarray:
    """Bring an LR volume to what a scanner that only truncates k-space would have given: Wiener's filter.

    Where the transfer function left something above the noise it is raised again; where noise prevails, it is lowered.

    Args:
        lr: (Z, Y, X) normalised.
        measured: transfer, gain and noise of this volume.
        log_spectrum: (bins, bins, bins) of HR of such people, truncated to the LR's k-space
            (:func:`udeansr.degradation.spectrum.log_spectrum`): what to expect of the signal.
    Returns: float32, same shape, unit and level; may ring below 0.
    Source: Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949.
    """
    kspace = np.asarray(scipy.fft.rfftn(lr.astype(np.float32)))
    transfer, signal = (
        np.ones((1, 1, 1), np.float32),
        np.float32(measured.gain**2) * np.exp(log_spectrum, dtype=np.float32),
    )
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
