"""What a voxel is worth: the true resolution of an image along each axis, and its noise, from its voxels alone.

Scanners interpolate: k-space is filled up with zeros, and voxels come out smaller than what was measured. The spectrum
of such an image breaks off before its Nyquist frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from udeansr.image.cropping import foreground_mask, middle
from udeansr.image.volume import triple

Resolved = Annotated[float, Gt(0.1), Le(1)]
"""A part of Nyquist up to which an image holds anything, as it lies in files."""

BINS = 20
"""Of |f| / Nyquist."""

BREAK = 0.3
"""Decades of power that a spectrum falls below its own trend where it breaks off: a factor of 2."""

_LONGEST = 256
"""Voxels along each side that are looked at."""

_TREND, _STEP, _FIRST = 4, 2, 8
_CORNER = 0.9
"""Of |f| / Nyquist along both axes of a slice: where least of the anatomy is."""


def true_spacing_mm(spacing_mm: Sequence[float], fractions: Sequence[float]) -> tuple[float, float, float]:
    """What a voxel is worth along (Z, Y, X), mm: its spacing over its :func:`resolved_fraction`."""
    return triple(round(mm / part, 3) for mm, part in zip(spacing_mm, fractions, strict=True))


def resolved_fraction(voxels: np.ndarray, axis: int) -> float:
    """Up to which part of its Nyquist frequency an image holds anything, along one axis.

    The spectrum of anatomy falls smoothly; where it falls by a factor of two more than its trend, within a tenth of
    Nyquist, the scanner has measured no further. Where that lies below 0.4 it is not found.

    Args:
        voxels: (Z, Y, X), any unit.
        axis: 0, 1 or 2.
    Returns: 0.4 to 1; 1 where nothing breaks off, and of fewer than 40 voxels.
    """
    image = np.moveaxis(middle(voxels, (_LONGEST, _LONGEST, _LONGEST)), axis, -1).astype(np.float32)
    size = image.shape[-1]
    if size < 2 * BINS:
        return 1.0
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(image * window))).reshape(-1, size // 2 + 1).mean(0)
    if not power[1:].all():
        return 1.0
    cell = np.minimum(np.arange(len(power)) * 2 * BINS // size, BINS - 1)
    log_power = np.log10(np.bincount(cell, power) / np.bincount(cell))
    for place in range(_FIRST, BINS):
        before = place - _STEP
        trend = (log_power[before] - log_power[before - _TREND]) / _TREND
        if log_power[place] - log_power[before] < _STEP * min(trend, 0.0) - BREAK:
            return place / BINS
    return 1.0


def noise_sigma(voxels: np.ndarray) -> float:
    """Standard deviation of the white noise of an image, from the corner of its slices' spectra.

    Args:
        voxels: (Z, Y, X), any unit; slices first.
    Returns: in the unit of the image; 0 without a foreground, and of slices too small to have a corner. Where anatomy
        is as fine as a voxel it comes out too high; where the scanner interpolated, too low, as its noise is then not
        white.
    """
    height, width = voxels.shape[1:]
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in (height, width))).astype(np.float32)
    energy = (foreground_mask(voxels) * window**2).sum((1, 2))
    slices = np.flatnonzero((energy > 0) & (energy >= energy.max() / 3))
    corner = (2 * np.abs(np.fft.fftfreq(height)) > _CORNER)[:, None] & (2 * np.fft.rfftfreq(width) > _CORNER)
    if not slices.size or not corner.any():
        return 0.0
    power = np.square(np.abs(np.fft.rfft2(voxels[slices].astype(np.float32) * window)))[:, corner].mean(-1)
    return float(np.sqrt(np.median(power / energy[slices])))
