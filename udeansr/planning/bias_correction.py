"""What HR degraded as measured tells of the measure.

Two numbers of the measure are of another kind than they seem. Here HR whose degradation is known sets them right.

- The level. Each volume is divided by a percentile of its own. Blur lowers that percentile, so that LR comes out
  brighter than HR. The gain between the mean spectra says the same, but with the scatter between subjects in it: up to
  20 % with 4 + 4 subjects, which a network would hand on to the SR. Here every subject is compared with themselves.
- The noise. In air the noise of a magnitude is only 0.66 of that of a channel, so a spectrum shows less than there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from udeansr.degradation.measured_degradation import (
    MeasuredDegradation,
    add_rician_noise,
    apply_measured,
)
from udeansr.degradation.spectral_fit import measure_degradation, unfolded_spectrum
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.degradation.tone_curve import intensity_sample, toned
from udeansr.image.files import read_volume
from udeansr.image.grid import reorient
from udeansr.image.normalization import intensity_scale
from udeansr.planning.cohort_grid import CohortGrid, to_hr_grid

IMAGES = 8
"""HR images that are degraded; the gain of one differs from that of another by a few percent."""

HIDDEN_NOISE = 1 / np.sqrt(2 - np.pi / 2)
"""The noise of a channel over that of a magnitude where there is nothing but noise: no scan hides more."""


@dataclass(frozen=True)
class DegradedSampleRequest:
    """An HR image to degrade, the common grid, and what was measured."""

    path: Path
    grid: CohortGrid
    measured: MeasuredDegradation


@dataclass(frozen=True)
class DegradedSample:
    """What one HR image degraded as measured tells.

    Attributes:
        level_gain: level of the normalised degraded HR over that of the normalised HR.
        truncated: spectrum of the HR truncated to the LR's k-space.
        degraded: spectrum of the degraded HR.
        intensities: sample of the degraded HR.
        unfolded: spectrum of the HR up to its own Nyquist along the slab axis; None where that is the LR's.
    """

    level_gain: float
    truncated: np.ndarray
    degraded: np.ndarray
    intensities: np.ndarray
    unfolded: np.ndarray | None = None


def degrade_sample(request: DegradedSampleRequest) -> DegradedSample:
    """Degrade one HR image as measured; the noise is the same at each call."""
    volume = toned(reorient(read_volume(request.path), request.grid.orientation), request.measured.tone)
    hr = to_hr_grid(volume, request.grid)
    blurred = apply_measured(hr, request.grid.scale, request.measured)
    noise = request.measured.noise * intensity_scale(blurred)
    lr = add_rician_noise(blurred, noise, np.random.default_rng(0))
    return DegradedSample(
        intensity_scale(volume.voxels) / intensity_scale(lr),
        foreground_spectrum(hr, request.grid.scale),
        foreground_spectrum(lr),
        intensity_sample(lr),
        unfolded_spectrum(hr, request.grid.scale) if request.measured.slice_profile is not None else None,
    )


def with_hidden_noise(
    measured: MeasuredDegradation, samples: Sequence[DegradedSample], lr_spacing_mm: tuple[float, float, float]
) -> MeasuredDegradation:
    """Add to a measured noise what magnitudes hide of it: as much as they hide where the noise is known.

    Args:
        measured: from the cohorts.
        samples: made with it, at least one.
        lr_spacing_mm: (Z, Y, X).
    """
    spectra = [one.truncated for one in samples], [one.degraded for one in samples]
    unfolded = [one.unfolded for one in samples if one.unfolded is not None]
    again = measure_degradation(*spectra, lr_spacing_mm, unfolded, in_plane_alike=bool(unfolded))
    hidden = np.clip(measured.noise / max(again.noise, 1e-12), 1, HIDDEN_NOISE)
    return replace(measured, noise=float(measured.noise * hidden))
