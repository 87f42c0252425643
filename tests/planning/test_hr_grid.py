import numpy as np

from udeansr.image.volume import Geometry, Volume
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.hr_grid import to_hr_grid

GRID = CohortGrid("SPL", (4.0, 2.0, 2.0), (2.0, 1.0, 1.0))


def ramp(shape, spacing_mm) -> Volume:
    """Intensity is the place along X, mm from the first edge."""
    x = (np.arange(shape[2]) + 0.5) * spacing_mm[2]
    return Volume(np.broadcast_to(x.astype(np.float32), shape).copy(), Geometry(shape, spacing_mm))


def test_hr_of_the_planned_spacing_is_only_cut_to_what_divides():
    volume = ramp((9, 20, 21), (2.0, 1.01, 1.0))
    np.testing.assert_array_equal(to_hr_grid(volume, GRID), volume.voxels[:8, :, :20])


def test_hr_of_another_spacing_is_resampled_in_place():
    voxels = to_hr_grid(ramp((8, 20, 30), (2.0, 1.0, 1.25)), GRID)
    assert voxels.shape == (8, 20, 36)
    np.testing.assert_allclose(voxels[4, 10, 4:-4], np.arange(4, 32) + 0.5, atol=0.02)
