import numpy as np
import pytest

from udeansr.degradation.kspace import (
    DEGRADATIONS,
    SHIFTED,
    TRUNCATION,
    Degradation,
    acquire,
    degrade,
    named_degradation,
    noise_sigma,
    sample,
    truncate_kspace,
)
from udeansr.degradation.slice_profile import acquire_slices, profile_transfer
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale, lr_geometry
from udeansr.image.resampling import tricubic
from udeansr.image.volume import Geometry

SCALES = [Scale(2, 2, 2), Scale(1, 2, 2), Scale(3, 2, 4), Scale(1, 1, 3)]
SHAPES = [(12, 16, 24), (18, 12, 36), (6, 20, 12)]


def anything(shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def fits(shape, scale):
    return all(n % s == 0 for n, s in zip(shape, scale.zyx, strict=True))


CASES = [(shape, scale) for shape in SHAPES for scale in SCALES if fits(shape, scale)]


@pytest.mark.parametrize(("shape", "scale"), CASES)
def test_truncation_keeps_the_mean_is_linear_and_commutes_with_flips(shape, scale):
    one, other = anything(shape, 1), anything(shape, 2)
    lr = truncate_kspace(one, scale)
    assert lr.shape == tuple(n // s for n, s in zip(shape, scale.zyx, strict=True)) and lr.dtype == np.float32
    assert lr.mean() == pytest.approx(one.mean(), abs=1e-6)
    both = truncate_kspace(2 * one - 3 * other, scale)
    np.testing.assert_allclose(both, 2 * lr - 3 * truncate_kspace(other, scale), atol=1e-5)
    for axis in range(3):
        np.testing.assert_allclose(truncate_kspace(np.flip(one, axis), scale), np.flip(lr, axis), atol=1e-5)


def test_truncating_twice_is_truncating_once():
    # 36 -> 18 -> 9: the line at Nyquist of the even stage is cut off by the second.
    voxels = anything((36, 36, 36))
    twice = truncate_kspace(truncate_kspace(voxels, Scale(2, 2, 2)), Scale(2, 2, 2))
    np.testing.assert_allclose(twice, truncate_kspace(voxels, Scale(4, 4, 4)), atol=1e-5)


def test_what_lies_within_the_band_goes_through_unchanged():
    centres = (np.arange(24) - 11.5) / 24
    wave = np.cos(2 * np.pi * 3 * centres)[None, None, :] * np.ones((4, 4, 1))
    lr = truncate_kspace(wave, Scale(1, 1, 2))
    np.testing.assert_allclose(lr[0, 0], np.cos(2 * np.pi * 3 * (2 * np.arange(12) + 0.5 - 11.5) / 24), atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_lr_header_and_tricubic_put_a_blob_back_where_it_was(scale, name):
    grid = Geometry((24, 24, 48), (2.0, 1.0, 1.0), (-3.0, 5.0, 7.0))
    where = np.array([11.3, 12.6, 22.9])
    z, y, x = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    distance = (z - where[0]) ** 2 + (y - where[1]) ** 2 + (x - where[2]) ** 2
    blob = 100 * np.exp(-distance / (2 * 3.0**2))
    silent = named_degradation(name, noise=0.0)
    lr = degrade(blob, scale, silent, np.random.default_rng(0))

    def centre(image):
        weight = np.where(image > 2, image, 0)
        return np.array([np.sum(axis * weight) / weight.sum() for axis in np.indices(image.shape)])

    assert np.abs(centre(tricubic(lr, scale)) - where).max() < 0.05
    world = lr_geometry(grid, scale).world_mm(centre(lr))
    assert np.abs(world - grid.world_mm(where)).max() < 0.1


def test_plain_truncation_is_the_magnitude_of_the_truncated_image():
    voxels = anything((8, 12, 12)) ** 8
    truncated = truncate_kspace(voxels, Scale(2, 2, 2))
    assert truncated.min() < 0
    made = degrade(voxels, Scale(2, 2, 2), TRUNCATION, np.random.default_rng(0))
    np.testing.assert_allclose(made, np.abs(truncated), atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_apodisation_and_partial_fourier_leave_what_transfer_says(axis):
    degradation = Degradation(apodization=0.4, partial_fourier=0.75, partial_fourier_axis="Y")
    size = 32
    for cycles in (0, 3, 7, 9, 13):
        phase = 2 * np.pi * cycles * np.arange(size) / size
        wave = np.cos(phase).reshape([-1 if i == axis else 1 for i in range(3)])
        # On a high level the magnitude is the real part, but for the square of the small imaginary one.
        level = 1e4
        image = acquire(level + wave * np.ones((size, size, size)), degradation, np.random.default_rng(0))
        left = 2 * np.mean((image - level) * wave) if cycles else image.mean() / level
        assert left == pytest.approx(float(degradation.transfer(np.array(2 * cycles / size), axis)), abs=0.005)


def test_elliptical_leaves_the_corners_out_and_nothing_else():
    level, size = 100.0, 16
    n = np.arange(size)
    for cycles, left in (((6, 0, 0), 1), ((4, 4, 4), 1), ((6, 6, 0), 0), ((5, 5, 5), 0)):
        waves = [np.cos(2 * np.pi * c * n / size) for c in cycles]
        wave = waves[0][:, None, None] * waves[1][None, :, None] * waves[2][None, None, :]
        image = acquire(level + wave, Degradation(elliptical=True), np.random.default_rng(0))
        np.testing.assert_allclose(image, level + left * wave, atol=1e-4)


def test_the_noise_is_rician_and_as_strong_as_asked():
    object_ = np.zeros((40, 40, 40), np.float32)
    object_[10:30, 10:30, 10:30] = 200.0
    degradation = Degradation(noise=0.05)
    assert noise_sigma(object_, degradation) == pytest.approx(10.0, rel=1e-3)
    image = acquire(object_, degradation, np.random.default_rng(1))
    assert image[12:28, 12:28, 12:28].std() == pytest.approx(10.0, rel=0.05)
    assert image[:8].mean() == pytest.approx(10.0 * np.sqrt(np.pi / 2), rel=0.02)
    assert (image >= 0).all()


def test_the_generator_alone_decides_the_noise():
    voxels = anything((8, 8, 8))
    first, again, other = (degrade(voxels, Scale(2, 2, 2), SHIFTED, np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_presets_and_single_changes():
    assert named_degradation("truncation") == TRUNCATION == Degradation()
    assert named_degradation("shifted", noise=0.02) == Degradation(0.4, 0.75, "Y", False, 0.02)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"apodization": 0.7}, "apodization is 0.7"),
        ({"partial_fourier": 0.5}, "partial Fourier is 0.5"),
        ({"partial_fourier_axis": "A"}, "'A'.* Z, Y or X"),
        ({"noise": -1.0}, "noise is -1"),
    ],
)
def test_what_no_scanner_does_is_refused(changes, found):
    with pytest.raises(UdeansrError, match=found):
        named_degradation("shifted", **changes)


def test_an_unknown_degradation_is_refused():
    with pytest.raises(UdeansrError, match=r"'blurred'.* truncation or shifted"):
        named_degradation("blurred")


def test_a_callers_mistakes():
    with pytest.raises(ValueError, match="does not divide"):
        truncate_kspace(np.zeros((3, 4, 4)), Scale(2, 2, 2))
    with pytest.raises(ValueError, match="no voxel is positive"):
        noise_sigma(np.zeros((4, 4, 4)), SHIFTED)


def test_slices_are_sampled_as_they_are_excited_and_the_plane_is_truncated():
    slices = Degradation(slice_profile="gaussian", slice_thickness=0.7)
    hr, scale = anything((12, 16, 24)), Scale(3, 2, 1)
    expected = truncate_kspace(acquire_slices(hr, 3, 2.1), Scale(1, 2, 1))
    np.testing.assert_allclose(sample(hr, scale, slices), expected, atol=1e-6)
    np.testing.assert_array_equal(sample(hr, scale, TRUNCATION), truncate_kspace(hr, scale))
    np.testing.assert_array_equal(sample(hr, Scale(1, 2, 2), slices), truncate_kspace(hr, Scale(1, 2, 2)))
    with pytest.raises(ValueError, match="does not divide"):
        sample(hr, Scale(5, 1, 1), slices)


def test_windows_leave_excited_slices_alone():
    blurring = Degradation(apodization=0.4, elliptical=True, slice_profile="gaussian")
    rng = np.random.default_rng(0)
    wave = 1 + np.cos(np.pi * np.arange(12))[:, None, None] * np.ones((1, 16, 16))
    np.testing.assert_allclose(acquire(wave, blurring, rng), wave, atol=1e-5)
    assert np.abs(acquire(wave, Degradation(apodization=0.4), rng) - wave).max() > 0.1


@pytest.mark.parametrize("profile", ["gaussian", "box"])
def test_the_transfer_along_slices_is_that_of_their_profile(profile):
    slices = Degradation(slice_profile=profile, slice_thickness=0.7)
    frequency = np.linspace(0, 1, 5)
    np.testing.assert_allclose(slices.transfer(frequency, 0), profile_transfer(frequency / 2, 0.7, profile))
    assert (slices.transfer(frequency, 2) == 1).all()


def test_slices_that_no_scanner_makes_are_refused():
    for values, complaint in (
        ({"slice_profile": "triangle"}, "slice profile 'triangle' is not known"),
        ({"slice_thickness": 0.1}, "slice thickness is 0.1 of the distance of slices; expected 0.3 to 3"),
        ({"slice_profile": "box", "partial_fourier": 0.75, "partial_fourier_axis": "Z"}, "expected Y or X with slices"),
    ):
        with pytest.raises(UdeansrError, match=complaint):
            Degradation(**values)
