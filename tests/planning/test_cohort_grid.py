import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udeansr.image.grid import equal_spacing, reorient_geometry
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.cohort_grid import CohortGrid, find_grid, grid_of_spacing, to_hr_grid

millimetres = st.floats(0.3, 6)
spacings = st.tuples(millimetres, millimetres, millimetres)


def geometry(spacing_mm, shape=(20, 30, 40)):
    return Geometry(shape, spacing_mm, (3.0, -7.0, 11.0))


def test_scale_is_the_ratio_of_the_medians_and_sr_tiles_lr():
    lr = [geometry((5.0, 2.0, 2.0)), geometry((5.05, 2.0, 2.0)), geometry((5.0, 2.01, 2.0))]
    grid = find_grid(lr, [geometry((1.0, 1.0, 1.0)), geometry((1.1, 0.9, 1.0)), geometry((1.0, 1.0, 1.0))])
    assert (grid.orientation, grid.scale.zyx, str(grid.scale)) == ("SPL", (5, 2, 2), "x2x2x5")
    assert grid.sr_spacing_mm == pytest.approx((1, 1, 1))


def test_the_grid_does_not_depend_on_how_images_are_stored():
    lr, hr = geometry((2.0, 5.0, 2.2)), geometry((1.0, 1.0, 1.1))
    grid = find_grid([lr], [hr])
    assert grid.orientation == "PSL"
    for stored in ("LAI", "SRP", "IPR"):
        assert find_grid([reorient_geometry(lr, stored)], [reorient_geometry(hr, "ALS")]) == grid


def test_the_slab_axis_is_that_of_most_lr():
    flat, sagittal = geometry((2.0, 2.0, 2.0)), reorient_geometry(geometry((2.0, 2.0, 2.0)), "LPS")
    hr = [geometry((1.0, 1.0, 1.0))]
    assert find_grid([flat, sagittal, sagittal], hr).orientation == "LSP"
    assert find_grid([flat, sagittal], hr) == find_grid([sagittal, flat], hr)


def test_a_cohort_without_images_has_no_grid():
    with pytest.raises(ValueError, match="at least one LR and one HR"):
        find_grid([], [geometry((1.0, 1.0, 1.0))])


@given(spacings, spacings)
def test_a_grid_of_another_spacing_keeps_the_first_corner_and_stays_in_the_field_of_view(old_mm, new_mm):
    old = geometry(old_mm)
    new = grid_of_spacing(old, new_mm)
    if new is None:
        assert equal_spacing(old_mm, new_mm)
        return
    np.testing.assert_allclose(new.world_mm((-0.5, -0.5, -0.5)), old.world_mm((-0.5, -0.5, -0.5)), atol=1e-9)
    for n, mm, n_old, mm_old, wanted in zip(new.shape, new.spacing_mm, old.shape, old_mm, new_mm, strict=True):
        assert mm in (mm_old, wanted)
        assert n == 1 or n * mm <= n_old * mm_old + 2e-3 * mm
        assert (n + 1) * mm > n_old * mm_old


def test_boxes_are_counted_in_lr_voxels():
    grid = find_grid([geometry((3.0, 2.0, 2.0))], [geometry((1.5, 1.0, 1.0))])
    assert grid.lr_voxels((16, 40, 41), (1.5, 1.0, 1.0)) == (8, 20, 20)
    assert grid.lr_voxels((8, 200, 20), (3.0, 2.03, 2.0)) == (8, 200, 20)


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


def test_of_a_mixed_cohort_the_spacing_is_one_that_images_have():
    """Those of real FLAIR of one hospital, whose median along each axis is 3.15 x 0.72 x 0.72 mm."""
    spacings = [(4.0, 0.72, 0.72), *[(3.0, 0.72, 0.72)] * 3, *[(3.3, 0.57, 0.57)] * 2, (3.0, 0.9, 0.9)]
    lr = [Geometry((40, 320, 320), spacing_mm) for spacing_mm in spacings]
    hr = [Geometry((160, 160, 160), (1.0, 1.0, 1.0))]
    assert find_grid(lr, hr).lr_spacing_mm == find_grid(lr[::-1], hr).lr_spacing_mm == (3.0, 0.72, 0.72)
    assert find_grid(lr[:2], hr).lr_spacing_mm == find_grid(lr[1::-1], hr).lr_spacing_mm
