"""What a degradation looks like in power spectra, measured without pairs. Knows arrays; knows no file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.signal import windows

from udeansr.degradation.kspace import truncate_kspace
from udeansr.errors import UdeansrError
from udeansr.image.cropping import foreground_box
from udeansr.image.grid import Scale
from udeansr.image.normalization import intensity_scale, normalize

BINS = 16
TAPERED = 0.2
"""Part of each side over which the volume is faded out, half of it at either end: where anatomy is cut by the field of
view (a neck) or by a crop, the jump is no property of the scanner. See documentation/degradation.md for what it saves.
"""

Curve = tuple[float, ...]


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
    width_mm: tuple[float, float, float]
    noise: float
    gain: float
    residual: float

    def as_dict(self) -> dict[str, Any]:
        """The measure as JSON takes it."""
        values = asdict(self)
        values["frequencies"] = list(self.frequencies)
        values["transfer"] = [list(curve) for curve in self.transfer]
        values["width_mm"] = list(self.width_mm)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MeasuredDegradation:
        """The way back from :meth:`as_dict`.

        Raises:
            UdeansrError: naming a key that is unknown or missing.
        """
        known = {item.name for item in fields(cls)}
        for trouble, keys in (("unknown", set(values) - known), ("missing", known - set(values))):
            if keys:
                raise UdeansrError(
                    f"measured degradation: {trouble} key '{min(keys)}'; expected {', '.join(sorted(known))}"
                )
        z, y, x = (tuple(float(number) for number in curve) for curve in values["transfer"])
        widths = [float(mm) for mm in values["width_mm"]]
        return cls(
            frequencies=tuple(float(number) for number in values["frequencies"]),
            transfer=(z, y, x),
            width_mm=(widths[0], widths[1], widths[2]),
            noise=float(values["noise"]),
            gain=float(values["gain"]),
            residual=float(values["residual"]),
        )


def foreground_spectrum(voxels: np.ndarray, scale: Scale | None = None) -> np.ndarray:
    """:func:`log_spectrum` of the normalised foreground box of one volume: what the measure is made from.

    Args:
        voxels: (Z, Y, X), any unit, not all zero, slab axis first.
        scale: for HR: its k-space is truncated to that of the LR. None for LR.
    Raises:
        ValueError: if no voxel is positive.
    """
    (z, y, x), sides = foreground_box(voxels)
    depth, height, width = (n // s * s for n, s in zip(sides, scale.zyx if scale else (1, 1, 1), strict=True))
    box = normalize(voxels[z : z + depth, y : y + height, x : x + width], intensity_scale(voxels))
    return log_spectrum(truncate_kspace(box, scale) if scale else box)


def log_spectrum(voxels: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Natural logarithm of the mean power in cells of |f| / Nyquist.

    Args:
        voxels: (Z, Y, X), cropped to the foreground and normalised.
        bins: cells along each axis; their borders divide 0 to 1 evenly.
    Returns: (bins, bins, bins) float64; white noise of standard deviation s gives log(s^2). NaN where a small volume
        has no sample in a cell.
    """
    image, energy = _faded(voxels)
    power = np.abs(np.fft.fftn(image)) ** 2 / energy
    cells = [_wave_numbers(size) * 2 * bins // size for size in voxels.shape]
    z, y, x = np.meshgrid(*(np.minimum(cell, bins - 1) for cell in cells), indexing="ij", sparse=True)
    cell = ((z * bins + y) * bins + x).ravel()
    total = np.bincount(cell, power.ravel(), minlength=bins**3)
    count = np.bincount(cell, minlength=bins**3)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(total / count).reshape(bins, bins, bins)


def _wave_numbers(size: int) -> np.ndarray:
    """How often a wave fits into the field of view, without sign, in the order of the FFT: integers."""
    return np.rint(np.abs(np.fft.fftfreq(size, 1 / size))).astype(int)


def _faded(voxels: np.ndarray) -> tuple[np.ndarray, float]:
    """The volume faded out at its borders (float32), and the sum of the squared weights."""
    image, energy = voxels.astype(np.float32), 1.0
    for axis, size in enumerate(voxels.shape):
        taper = windows.tukey(size + 2, TAPERED)[1:-1]
        image *= taper.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        energy *= float(np.sum(taper**2))
    return image, energy


def spectrum_distance(spectra_a: Sequence[np.ndarray], spectra_b: Sequence[np.ndarray]) -> float:
    """How far the mean spectra of two cohorts lie apart.

    Args:
        spectra_a: :func:`log_spectrum` of each volume of the one.
        spectra_b: of each volume of the other.
    Returns: root mean square over the cells of the difference of mean log10 power, decades. 0 for equal spectra; two
        cohorts that differ by a factor of 10 in power have 1.
    Raises:
        ValueError: if a cohort is empty or no cell is filled in both.
    """
    difference = (_mean(spectra_a) - _mean(spectra_b)) / np.log(10)
    filled = np.isfinite(difference)
    if not filled.any():
        raise ValueError("the two cohorts have no cell of the spectrum in common")
    return float(np.sqrt(np.mean(difference[filled] ** 2)))


def _mean(spectra: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over volumes of each cell, of those that have it; NaN where none has."""
    if not len(spectra):
        raise ValueError("a cohort without volumes has no spectrum")
    stack = np.stack(spectra)
    filled = np.isfinite(stack)
    with np.errstate(invalid="ignore"):
        return np.where(filled, stack, 0).sum(0) / filled.sum(0)


def measure_degradation(
    truncated_hr_spectra: Sequence[np.ndarray],
    lr_spectra: Sequence[np.ndarray],
    lr_spacing_mm: tuple[float, float, float],
) -> MeasuredDegradation:
    """Measure what turned the one cohort's HR into the other cohort's LR. No person need be in both.

    The mean power of the LR is taken as ``gain^2 P_HR H_z^2 H_y^2 H_x^2 + noise^2`` with H that never rise, and fitted
    by least squares on its logarithm. H is 1 in the first bin of each axis.

    Args:
        truncated_hr_spectra: :func:`log_spectrum` of HR volumes truncated to the LR's k-space, at least one.
        lr_spectra: :func:`log_spectrum` of LR volumes, at least one.
        lr_spacing_mm: (Z, Y, X).
    Raises:
        ValueError: if a cohort is empty or no cell is filled in both.
    Source: documentation/degradation.md.
    """
    log_hr, log_lr = _mean(truncated_hr_spectra), _mean(lr_spectra)
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

    def misfit(parameters: np.ndarray) -> np.ndarray:
        signal, noise = powers(parameters)
        return np.log(signal + noise) - log_lr

    def slope(parameters: np.ndarray) -> np.ndarray:
        signal, noise = powers(parameters)
        part = 2 * signal[:, None] / (signal + noise)[:, None]
        return np.concatenate([part, 2 - part, -part * falls], axis=1)

    count = falls.shape[1]
    start = np.concatenate([[0.0, log_lr.min() / 2], np.full(count, 0.02)])
    lowest = np.concatenate([[-10.0, start[1] - 10], np.zeros(count)])
    highest = np.concatenate([[10.0, start[1] + 10], np.full(count, 10.0)])
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
        residual=float(np.sqrt(np.mean(fit.fun**2)) / np.log(10)),
    )


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


def shift_voxels(sr: np.ndarray, lr: np.ndarray, scale: Scale) -> np.ndarray:
    """How far the content of an SR volume lies from where its LR has it.

    The maximum of their cross-correlation, found to a fraction of a voxel from the phase of the cross-spectrum.

    Args:
        sr: (Z*sz, Y*sy, X*sx), any unit.
        lr: (Z, Y, X), any unit.
        scale: between the two.
    Returns: (3,) displacement of SR against LR along (Z, Y, X), HR voxels; positive towards higher indices.
    Raises:
        ValueError: if the shapes do not fit the scale.
    """
    if sr.shape != tuple(n * s for n, s in zip(lr.shape, scale.zyx, strict=True)):
        raise ValueError(f"SR of {sr.shape} is not {scale.zyx} times an LR of {lr.shape}")
    one, other = (np.fft.fftn(_faded(voxels)[0]) for voxels in (truncate_kspace(sr, scale), lr))
    cross = one * np.conj(other)
    # Between correlation (power 0: the window, which stays where it is, decides) and pure phase (power 1: noise does).
    cross /= np.abs(cross) ** 0.75 + np.finfo(np.float32).tiny
    peak = np.unravel_index(int(np.argmax(np.fft.ifftn(cross).real)), lr.shape)
    shift = np.array([p if p <= n // 2 else p - n for p, n in zip(peak, lr.shape, strict=True)], dtype=float)
    omega = [2 * np.pi * np.fft.fftfreq(n) for n in lr.shape]
    for axis, n in enumerate(lr.shape):
        if n % 2 == 0:  # The line at Nyquist has no sign and so no phase.
            cross[(slice(None),) * axis + (n // 2,)] = 0
    for _ in range(20):
        turned = cross
        for axis in range(3):
            phase = np.exp(1j * omega[axis] * shift[axis]).astype(np.complex64)
            turned = turned * phase.reshape([-1 if i == axis else 1 for i in range(3)])
        grid = [o.reshape([-1 if i == axis else 1 for i in range(3)]) for axis, o in enumerate(omega)]
        gradient = np.array([np.sum(turned.imag * g) for g in grid])
        curvature = np.array([[np.sum(turned.real * g * h) for h in grid] for g in grid])
        step = np.linalg.lstsq(curvature, -gradient, rcond=None)[0]
        shift += np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-5:
            break
    return shift * np.asarray(scale.zyx)
