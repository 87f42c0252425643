"""HR brought to the grid that its cohort is planned for. Knows arrays and grids; opens no file."""

from __future__ import annotations

import numpy as np

from udeansr.image.resampling import resample_onto
from udeansr.image.volume import Volume
from udeansr.planning.cohort_grid import CohortGrid, grid_of_spacing


def to_hr_grid(volume: Volume, grid: CohortGrid) -> np.ndarray:
    """The voxels of HR at LR spacing / scale, resampled only where its own spacing is off, sides dividing by the scale.

    Args:
        volume: HR in the orientation of the grid.
        grid: the grid of both cohorts.
    """
    planned = grid_of_spacing(volume.geometry, grid.sr_spacing_mm)
    if planned is not None:
        volume = resample_onto(volume, planned)
    return volume.voxels[tuple(slice(n - n % s) for n, s in zip(volume.voxels.shape, grid.scale.zyx, strict=True))]
