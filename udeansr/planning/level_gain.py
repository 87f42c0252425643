"""How much brighter LR leaves normalisation than HR of the same person. Knows HR files and a measured degradation.

Each volume is divided by a percentile of its own. Blur lowers that percentile, so that LR comes out brighter than HR.
The gain between the mean spectra says the same, but with the scatter between people in it: up to 20 % with 4 + 4
people, which a network would hand on to the SR. HR that is degraded as measured compares every person with themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.transfer import MeasuredDegradation
from udeansr.image.files import read_volume
from udeansr.image.grid import reorient
from udeansr.image.normalization import intensity_scale
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.hr_grid import to_hr_grid

IMAGES = 8
"""HR images that are degraded; the gain of one differs from that of another by a few percent."""


@dataclass(frozen=True)
class GainRequest:
    """An HR image to degrade, the common grid, and what was measured."""

    path: Path
    grid: CohortGrid
    measured: MeasuredDegradation


def level_gain(request: GainRequest) -> float:
    """Level of the normalised degraded HR over that of the normalised HR, for one image."""
    volume = reorient(read_volume(request.path), request.grid.orientation)
    hr = to_hr_grid(volume, request.grid)
    lr = degrade_as_measured(truncate_kspace(hr, request.grid.scale), request.measured)
    return intensity_scale(volume.voxels) / intensity_scale(lr)


def degrade_as_measured(truncated: np.ndarray, measured: MeasuredDegradation) -> np.ndarray:
    """Blur truncated HR by the measured transfer function and add the measured noise, the same at each call.

    Args:
        truncated: (Z, Y, X) on the LR grid, any unit.
        measured: transfer along these axes; noise over the level that becomes 1.
    Returns: magnitudes, same unit and shape.
    """
    image = truncated.astype(np.float32)
    for axis, curve in enumerate(measured.transfer):
        size = image.shape[axis]
        frequency = np.arange(size // 2 + 1) * 2 / size
        factor = np.interp(frequency, (0.0, *measured.frequencies), (1.0, *curve)).astype(np.float32)
        shape = [-1 if i == axis else 1 for i in range(3)]
        image = np.asarray(scipy.fft.irfft(scipy.fft.rfft(image, axis=axis) * factor.reshape(shape), size, axis=axis))
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32) * (measured.noise * intensity_scale(image))
    return np.hypot(image + noise[0], noise[1])
