import numpy as np
import pytest

from udeansr.image.grid import reorient_geometry
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.cohort_grid import CohortGrid, find_grid, to_hr_grid, to_lr_grid


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
    assert voxels.shape == (8, 20, 38)  # of 37.5 mm
    np.testing.assert_allclose(voxels[4, 10, 4:-4], np.arange(4, 34) + 0.25, atol=0.02)


def test_coarser_hr_is_brought_to_the_grid_without_an_alias():
    x = np.arange(64)
    wave = np.broadcast_to(np.cos(np.pi * 0.8 * x).astype(np.float32), (8, 20, 64)).copy()  # 0.8 of Nyquist at 0.5 mm
    voxels = to_hr_grid(Volume(wave, Geometry((8, 20, 64), (2.0, 1.0, 0.5))), GRID)
    assert voxels.shape == (8, 20, 32)
    assert np.abs(voxels[..., 6:-6]).max() < 0.02


def test_where_hr_is_coarser_lr_is_brought_to_its_spacing():
    """A clinical FLAIR and a research T1w: 3 x 0.5 x 0.78 mm and 1 x 1 x 0.8 mm."""
    lr, hr = Geometry((10, 40, 40), (3.0, 0.5, 0.78)), Geometry((40, 40, 40), (1.0, 1.0, 0.8))
    grid = find_grid([lr], [hr])
    assert (grid.lr_spacing_mm, grid.band_axes, str(grid.scale)) == ((3.0, 1.0, 0.78), "Y", "x1x1x3")
    volume = ramp(lr.shape, lr.spacing_mm)
    made = to_lr_grid(volume, grid)
    assert made.shape == (10, 20, 40)
    np.testing.assert_allclose(made[:, 10], volume.voxels[:, 20], atol=1e-4)


def test_of_a_mixed_cohort_the_spacing_is_one_that_images_have():
    """Those of real FLAIR of one hospital, whose median along each axis is 3.15 x 0.72 x 0.72 mm."""
    spacings = [(4.0, 0.72, 0.72), *[(3.0, 0.72, 0.72)] * 3, *[(3.3, 0.57, 0.57)] * 2, (3.0, 0.9, 0.9)]
    lr = [Geometry((40, 320, 320), spacing_mm) for spacing_mm in spacings]
    hr = [Geometry((160, 160, 160), (0.7, 0.7, 0.7))]
    assert find_grid(lr, hr).lr_spacing_mm == find_grid(lr[::-1], hr).lr_spacing_mm == (3.0, 0.72, 0.72)
    assert find_grid(lr[:2], hr).lr_spacing_mm == find_grid(lr[1::-1], hr).lr_spacing_mm


def test_an_axis_along_which_hr_is_coarser_than_some_lr_is_in_the_band_of_all():
    """Real T1w of one hospital: most of 0.91 mm in the plane, which 1 mm HR is hardly coarser than, one of 0.72 mm."""
    lr = [Geometry((48, 256, 256), (3.0, 0.91, 0.91))] * 3 + [Geometry((39, 320, 320), (3.0, 0.72, 0.72))]
    grid = find_grid(lr, [Geometry((192, 192, 160), (1.0, 1.2, 1.0))])
    assert (grid.lr_spacing_mm, grid.band_axes, str(grid.scale)) == ((3.0, 1.2, 1.0), "YX", "x1x1x3")
    shapes = [to_lr_grid(ramp(one.shape, one.spacing_mm), grid).shape for one in (lr[0], lr[-1])]
    assert shapes == [(48, 194, 233), (39, 192, 230)]
