"""Spectra of LR, SR and HR along each axis, up to where an image resolves anything, and two runs agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.spectrum import log_spectrum, taper
from udeansr.degradation.true_resolution import resolved_fraction
from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.report.pair import Pair

MOST_BINS = 32
AGREED = 1 / 7
"""Least Fourier ring correlation of two halves that counts as agreement (Rosenthal and Henderson, 2003)."""

DIRECTIONS = {"L": "left-right", "R": "left-right", "A": "front-back", "P": "front-back", "S": "head-feet"}
DIRECTIONS["I"] = DIRECTIONS["S"]
"""Names of axes by the letter that they run to."""


@dataclass(frozen=True)
class Curve:
    """Power against frequency along one axis.

    Attributes:
        frequency: centres of the bins, cycles a mm.
        power_db: mean power density over the band of the LR along the other axes, dB; of any spacing.
    """

    frequency: tuple[float, ...]
    power_db: tuple[float, ...]


@dataclass(frozen=True)
class AxisSpectra:
    """What one axis of a case holds.

    Attributes:
        direction: left-right, front-back or head-feet.
        curves: by the name of the image.
        lr_nyquist: of the LR, cycles a mm.
        lr_mm: true resolution of the LR: its spacing, or more where its spectrum breaks off before.
        sr_mm: of SR; the same.
    """

    direction: str
    curves: dict[str, Curve]
    lr_nyquist: float
    lr_mm: float
    sr_mm: float


def axis_spectra(pair: Pair, others: Mapping[str, np.ndarray]) -> tuple[AxisSpectra, ...]:
    """The spectra of a pair along (Z, Y, X).

    Args:
        pair: LR and SR.
        others: more images on the grid of SR, such as HR, by name.
    """
    images = {"tricubic": tricubic(pair.lr, pair.scale), "SR": pair.sr, **others}
    spacing_mm, fine_mm = pair.geometry.spacing_mm, pair.fine.spacing_mm
    found = []
    for axis, letter in enumerate(pair.geometry.orientation):
        factor = pair.scale.zyx[axis]
        across = Scale(*(1 if i == axis else s for i, s in enumerate(pair.scale.zyx)))
        curves = {"LR": _curve(pair.lr, axis, spacing_mm[axis])}
        for name, voxels in images.items():
            if name != "tricubic" or factor > 1:
                curves[name] = _curve(truncate_kspace(voxels, across), axis, fine_mm[axis])
        lr_mm = spacing_mm[axis] / resolved_fraction(pair.lr, axis)
        sr_mm = resolved_mm(pair.sr, axis, fine_mm[axis], factor)
        found.append(AxisSpectra(DIRECTIONS[letter], curves, 0.5 / spacing_mm[axis], lr_mm, sr_mm))
    return tuple(found)


def resolved_mm(voxels: np.ndarray, axis: int, spacing_mm: float, factor: int) -> float:
    """True resolution along an axis of an image made from a coarser one; its spacing where nothing breaks off.

    A break below 0.4 of Nyquist is not found; so k-space is truncated to twice that of the LR first.

    Args:
        voxels: (Z, Y, X).
        axis: 0, 1 or 2.
        spacing_mm: along it.
        factor: how much coarser the other was.
    """
    merged = factor // 2
    if merged > 1 and voxels.shape[axis] % merged == 0:
        coarse = truncate_kspace(voxels, Scale(*(merged if i == axis else 1 for i in range(3))))
        part = resolved_fraction(coarse, axis)
        if part < 1:
            return spacing_mm * merged / part
    return spacing_mm / resolved_fraction(voxels, axis)


@dataclass(frozen=True)
class Agreement:
    """Up to where two runs agree along one axis.

    Attributes:
        direction: left-right, front-back or head-feet.
        frequency: centres of the bins, cycles a mm.
        correlation: Fourier ring correlation, at most 1.
        mm: the voxel that it is worth: half a wave where the correlation falls below :data:`AGREED`, or the spacing.
    """

    direction: str
    frequency: tuple[float, ...]
    correlation: tuple[float, ...]
    mm: float


def agreements(pair: Pair, other: np.ndarray) -> tuple[Agreement, ...]:
    """The Fourier ring correlation of SR with that of another run along (Z, Y, X), over the LR's band along the others.

    Args:
        pair: LR and SR.
        other: SR of the same LR by another run, on the grid of SR.
    """
    found = []
    for axis, (letter, mm) in enumerate(zip(pair.geometry.orientation, pair.fine.spacing_mm, strict=True)):
        across = Scale(*(1 if i == axis else s for i, s in enumerate(pair.scale.zyx)))
        one, two = (np.fft.fftn(taper(truncate_kspace(image, across))[0]) for image in (pair.sr, other))
        length, rest = pair.sr.shape[axis], tuple(i for i in range(3) if i != axis)
        bins = min(MOST_BINS, length // 3)
        place = np.minimum((2 * bins * np.abs(np.fft.fftfreq(length))).astype(int), bins - 1)
        cross, first, second = (
            np.bincount(place, values.sum(rest), bins)
            for values in (np.real(one * np.conj(two)), np.square(np.abs(one)), np.square(np.abs(two)))
        )
        kept = first * second > 0
        frequency = ((np.arange(bins) + 0.5) / bins * 0.5 / mm)[kept]
        correlation = (cross[kept] / np.sqrt(first[kept] * second[kept])).astype(float)
        below = np.flatnonzero(correlation < AGREED)
        reached = max(mm, 0.5 / frequency[below[0]]) if below.size else mm
        found.append(Agreement(DIRECTIONS[letter], tuple(frequency), tuple(correlation), float(reached)))
    return tuple(found)


def _curve(voxels: np.ndarray, axis: int, spacing_mm: float) -> Curve:
    bins = min(MOST_BINS, voxels.shape[axis] // 3)
    counts = tuple(bins if i == axis else 1 for i in range(3))
    density = np.asarray(log_spectrum(voxels, counts)).ravel() + np.log(spacing_mm)  # type: ignore[arg-type]
    frequency = (np.arange(bins) + 0.5) / bins * 0.5 / spacing_mm
    kept = np.isfinite(density)
    power_db = 10 / np.log(10) * density[kept]
    return Curve(tuple(frequency[kept].tolist()), tuple(power_db.tolist()))
