import numpy as np
import pytest

from udeansr.degradation.kspace import Degradation, truncate_kspace
from udeansr.degradation.slice_profile import acquire_slices
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, respaced_geometry
from udeansr.image.resampling import resample_onto
from udeansr.image.volume import Geometry, Volume
from udeansr.report.pair import make_pair


@pytest.fixture(scope="module")
def hr(case) -> Volume:
    """A head that ends before its field of view does, of even sides, float."""
    volume = reorient(read_volume(case["hr"]), "SPL")
    z, y, x = (side - side % 6 for side in volume.voxels.shape)
    geometry = Geometry((z, y, x), volume.geometry.spacing_mm, volume.geometry.origin_mm, volume.geometry.axes)
    voxels = volume.voxels[:z, :y, :x].astype(np.float32)
    for axis, side in enumerate(voxels.shape):
        fade = np.clip(np.minimum(np.arange(side), np.arange(side)[::-1]) / 10 - 0.4, 0, 1)
        voxels *= fade.reshape([-1 if i == axis else 1 for i in range(3)]).astype(np.float32)
    return Volume(voxels, geometry)


def blurred_lr(hr: Volume, strength: float) -> Volume:
    """Truncated by two along all axes, with a window on top of it."""
    lr = truncate_kspace(hr.voxels, Scale(2, 2, 2))
    kspace = np.fft.fftn(lr)
    for axis, side in enumerate(lr.shape):
        factor = Degradation(apodization=strength).transfer(2 * np.fft.fftfreq(side), axis)
        kspace *= factor.reshape([-1 if i == axis else 1 for i in range(3)])
    return Volume(np.abs(np.fft.ifftn(kspace)).astype(np.float32), lr_geometry(hr.geometry, Scale(2, 2, 2)))


def test_the_degradation_of_a_pair_is_found_to_be_what_it_was(hr):
    pair = make_pair(blurred_lr(hr, 0.4), hr)
    measured = pair.degradation
    assert pair.scale == Scale(2, 2, 2) and measured.slice_profile is None
    frequencies = np.asarray(measured.frequencies)
    for axis, curve in enumerate(measured.transfer):
        truth = Degradation(apodization=0.4).transfer(frequencies, axis)
        assert np.abs(np.asarray(curve) - truth)[:12].max() < 0.08
    assert measured.gain == pytest.approx(1, abs=0.02)
    assert np.sqrt(np.mean(np.square(pair.degraded() - pair.lr))) < 0.01


def test_slices_are_told_from_truncation(hr):
    thick = acquire_slices(hr.voxels, 3, 3.0, "gaussian")
    lr = Volume(np.abs(thick), lr_geometry(hr.geometry, Scale(3, 1, 1)))
    pair = make_pair(lr, hr)
    assert pair.scale == Scale(3, 1, 1)
    assert (pair.degradation.slice_profile, pair.degradation.slice_thickness) == ("gaussian", 1.0)
    assert pair.degradation.width_mm[0] == pytest.approx(lr.geometry.spacing_mm[0])


def test_an_sr_that_is_smoother_than_its_lr_is_not_sharpened(hr):
    from scipy import ndimage

    lr = blurred_lr(hr, 0.0)
    smooth = Volume(ndimage.gaussian_filter(hr.voxels, 1.5), hr.geometry)
    assert max(max(curve) for curve in make_pair(lr, smooth).degradation.transfer) == 1


def test_how_it_was_stored_and_on_which_grid_makes_no_difference(hr):
    lr = blurred_lr(hr, 0.2)
    plain = make_pair(lr, hr)
    turned = make_pair(reorient(lr, "RAI"), reorient(hr, "LSA"))
    np.testing.assert_allclose(plain.degradation.width_mm, turned.degradation.width_mm, rtol=0.01)
    other = resample_onto(hr, respaced_geometry(hr.geometry, tuple(0.9 * mm for mm in hr.geometry.spacing_mm)))
    again = make_pair(lr, other)
    assert again.sr.shape == plain.sr.shape
    inside = (slice(6, -6),) * 3
    assert np.abs(again.sr - plain.sr)[inside].mean() < 0.02


def test_an_empty_lr_is_refused(hr):
    lr = blurred_lr(hr, 0)
    with pytest.raises(UdeansrError, match="no voxel above 0"):
        make_pair(Volume(np.zeros_like(lr.voxels), lr.geometry), hr)
