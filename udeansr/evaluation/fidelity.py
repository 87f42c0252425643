"""What an image keeps of its reference: spectrum, place, level."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from udeansr.degradation.shift import shift_voxels
from udeansr.degradation.spectrum import BINS, log_spectrum
from udeansr.image.grid import Scale

BANDS = {"low": (0.0, 0.5), "middle": (0.5, 0.75), "high": (0.75, 1.0)}
"""Bands by the largest |f| / Nyquist over the axes of the reference; low is what half the resolution still has."""

FLOOR_DB = -80.0
"""Cells in which the reference's power, against that of its strongest cell, is lower do not count: a reference that was
zero-filled in k-space holds nothing there that an image could keep or miss. The rounding of an 8-bit image lies near
-87 dB, the noise of the scans that the project was tried on at -55 to -70 dB.
"""

COUNTED_PART = 0.5
"""A band has a score where at least this part of its cells counts: what leaks across the edge of k-space is no band."""

LEVEL_SIGMA_VOXELS = 4.0
"""What is left of an image behind a Gaussian of this width is its level: no detail that SR adds or misses."""


def spectrum_error_db(image: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """The power of an image over that of its reference, as the mean in dB over the cells of |f| / Nyquist of a band.

    The mean of the logarithm lets all frequencies weigh alike; a sum of power would show the strongest few alone.

    Args:
        image: (Z, Y, X), the array to judge, in any unit.
        reference: the truth, of its shape and in its unit.
    Returns: band -> dB; 0 is perfect, negative too smooth, positive invented. Not a number for a band in which the
        reference has next to no power, the image none, or a small volume no sample.
    Raises:
        ValueError: if the shapes differ.
    """
    _check(image, reference)
    power_db, truth_db = (log_spectrum(voxels) * 10 / np.log(10) for voxels in (image, reference))
    sampled, present = ~np.isnan(truth_db), np.isfinite(truth_db)
    counts = present & (truth_db >= np.max(truth_db, initial=-np.inf, where=present) + FLOOR_DB)
    largest = np.indices(truth_db.shape).max(axis=0) / BINS
    errors = {}
    for band, (low, high) in BANDS.items():
        inside = sampled & (largest >= low) & (largest < high)
        counted = inside & counts
        enough = counted.any() and counted.sum() >= COUNTED_PART * inside.sum()
        error = float(np.mean(power_db[counted] - truth_db[counted])) if enough else math.nan
        errors[band] = error if math.isfinite(error) else math.nan
    return errors


def largest_shift_voxels(image: np.ndarray, reference: np.ndarray) -> float:
    """How far the content lies from where the reference has it, along the axis where that is farthest.

    Args:
        image: (Z, Y, X), the array to judge, in any unit.
        reference: the truth, of its shape, in any unit.
    Returns: at least 0, voxels; without meaning where the two have no content in common.
    Raises:
        ValueError: if the shapes differ or one of the two is constant.
    """
    _check(image, reference)
    if np.ptp(image) == 0 or np.ptp(reference) == 0:
        raise ValueError("a constant image lies nowhere")
    return float(np.abs(shift_voxels(image, reference, Scale(1, 1, 1))).max())


def gain(image: np.ndarray, reference: np.ndarray) -> float:
    """The level of an image over its reference's, by least squares; detail that one has more of is no level.

    Args:
        image: (Z, Y, X), the array to judge, in any unit.
        reference: the truth, of its shape and in its unit.
    Returns: 1 is perfect.
    Raises:
        ValueError: if the shapes differ or the reference is zero.
    """
    _check(image, reference)
    level, truth = (
        ndimage.gaussian_filter(voxels.astype(np.float32), LEVEL_SIGMA_VOXELS) for voxels in (image, reference)
    )
    power = float(np.sum(truth * truth, dtype=np.float64))
    if power == 0:
        raise ValueError("the reference is zero")
    return float(np.sum(level * truth, dtype=np.float64)) / power


def _check(image: np.ndarray, reference: np.ndarray) -> None:
    """Hold the arrays to one shape that has voxels."""
    if image.shape != reference.shape or image.size == 0:
        raise ValueError(f"shapes differ or are empty: image {image.shape}, reference {reference.shape}")
