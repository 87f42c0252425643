"""How much brighter LR leaves normalisation than HR of the same person. Knows HR files and a measured degradation.

Each volume is divided by a percentile of its own. Blur lowers that percentile, so that LR comes out brighter than HR.
The gain between the mean spectra says the same, but with the scatter between people in it: up to 20 % with 4 + 4
people, which a network would hand on to the SR. HR that is degraded as measured compares every person with themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.transfer import MeasuredDegradation, add_rician_noise, blur_as_measured
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
    blurred = blur_as_measured(truncate_kspace(hr, request.grid.scale), request.measured)
    noise = request.measured.noise * intensity_scale(blurred)
    lr = add_rician_noise(blurred, noise, np.random.default_rng(0))  # the same at each call
    return intensity_scale(volume.voxels) / intensity_scale(lr)
