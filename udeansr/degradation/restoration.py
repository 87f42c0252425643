"""Undoing a measured degradation, as far as the noise lets it. Knows arrays and spectra; knows no network, no file."""

from __future__ import annotations

import numpy as np
import scipy.fft

from udeansr.degradation.transfer import MeasuredDegradation


def with_restored(lr: np.ndarray, measured: MeasuredDegradation, log_spectrum: np.ndarray) -> np.ndarray:
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
