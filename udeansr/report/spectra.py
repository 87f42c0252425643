"""Spectra of LR, SR and HR along each axis, and up to where an image resolves anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.spectrum import log_spectrum
from udeansr.degradation.true_resolution import resolved_fraction
from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.report.pair import Pair

MOST_BINS = 32
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


def _curve(voxels: np.ndarray, axis: int, spacing_mm: float) -> Curve:
    bins = min(MOST_BINS, voxels.shape[axis] // 3)
    counts = tuple(bins if i == axis else 1 for i in range(3))
    density = np.asarray(log_spectrum(voxels, counts)).ravel() + np.log(spacing_mm)  # type: ignore[arg-type]
    frequency = (np.arange(bins) + 0.5) / bins * 0.5 / spacing_mm
    kept = np.isfinite(density)
    power_db = 10 / np.log(10) * density[kept]
    return Curve(tuple(frequency[kept].tolist()), tuple(power_db.tolist()))
