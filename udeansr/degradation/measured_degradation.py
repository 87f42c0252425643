"""The measured degradation: what an LR scanner did, as its spectra tell; applied to HR, and undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import scipy.fft
from annotated_types import Ge, Le

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.slice_profile import SLICE_PROFILES, acquire_slices
from udeansr.degradation.tone_curve import ToneCurve
from udeansr.image.grid import Scale

Factor = Annotated[float, Ge(0), Le(100)]
Curve = tuple[Factor, ...]
Level = Annotated[float, Ge(0), Le(1e4)]
"""Types with bounds far beyond what is measured, such that float32 holds all that is made of them."""


@dataclass(frozen=True)
class MeasuredDegradation:
    """What the LR scanner did beyond measuring the centre of k-space, as far as magnitudes can tell.

    Attributes:
        frequencies: centres of the bins of |f| / Nyquist of the LR.
        transfer: the factor left of an amplitude at each of these along (Z, Y, X); never rises, starts at 1. Along Z of
            slices it is that of their profile.
        width_mm: full width at half maximum of the point spread along (Z, Y, X): that of the transfer and of the
            truncation of k-space together. The truncation alone has 1.21 LR voxels.
        noise: standard deviation of the noise of each complex channel, in normalised intensity of the LR.
        gain: level of the normalised LR over that of the normalised HR.
        residual: root mean square of what the model leaves of the log power, decades.
        slice_profile: "gaussian" or "box" where the slices were excited, and what lies above their Nyquist folds back;
            None where the slab axis was encoded as the others were.
        slice_thickness: full width at half maximum of the profile over the distance of slices.
        tone: from the contrast of the HR to that of the LR, which HR goes through before all else; None where they
            are alike.
    """

    frequencies: Curve
    transfer: tuple[Curve, Curve, Curve]
    width_mm: tuple[Level, Level, Level]
    noise: Level
    gain: Level
    residual: Level
    slice_profile: str | None = None
    slice_thickness: Annotated[float, Ge(1e-3), Le(100)] = 1.0
    tone: ToneCurve | None = None

    def __post_init__(self) -> None:
        """Refuse curves of several lengths, or of none."""
        if {len(curve) for curve in self.transfer} != {len(self.frequencies)} or not self.frequencies:
            raise ValueError("the curves of 'transfer' are not as long as 'frequencies'")
        if self.slice_profile not in (None, *SLICE_PROFILES):
            raise ValueError(f"'slice_profile' is {self.slice_profile!r}; expected {' or '.join(SLICE_PROFILES)}")


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


def apply_measured(hr: np.ndarray, scale: Scale, measured: MeasuredDegradation) -> np.ndarray:
    """Make the LR of HR as the scanner was measured to do, but for the noise.

    Args:
        hr: (Z, Y, X), any unit, in the contrast of the LR. Each side divides by its scale.
        scale: voxels merged along each axis.
        measured: transfer along these axes, or the slice profile.
    Returns: (Z/sz, Y/sy, X/sx) float32, same unit and mean; may ring below 0, as no magnitude is taken.
    Raises:
        ValueError: if a side does not divide.
    """
    if measured.slice_profile is None or scale.z == 1:
        return convolve(truncate_kspace(hr, scale), measured)
    slices = acquire_slices(hr, scale.z, measured.slice_thickness * scale.z, measured.slice_profile)
    return convolve(truncate_kspace(slices, Scale(1, scale.y, scale.x)), measured, axes=(1, 2))


def convolve(truncated: np.ndarray, measured: MeasuredDegradation, axes: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    """Blur an image as a scanner did: its k-space times the measured transfer function.

    Args:
        truncated: (Z, Y, X) on the LR grid, any unit.
        measured: transfer along these axes.
        axes: along which it is applied.
    Returns: float32, same unit, shape and mean; may ring below 0, as no magnitude is taken.
    """
    image = truncated.astype(np.float32)
    for axis in axes:
        size, curve = image.shape[axis], measured.transfer[axis]
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
