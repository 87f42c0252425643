import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from udeansr.evaluation.metrics import WINDOW_VOXELS, nrmse, psnr, ssim_2d, ssim_3d

METRICS = (psnr, nrmse, ssim_2d, ssim_3d)


@pytest.fixture
def reference() -> np.ndarray:
    return np.random.default_rng(1).random((14, 16, 18)).astype(np.float32)


@given(st.floats(0.001, 0.5))
def test_psnr_of_a_constant_error_is_known(error: float):
    reference = np.full((3, 4, 5), 0.25, np.float64)
    assert psnr(reference + error, reference) == pytest.approx(-20 * np.log10(error), abs=1e-6)


def test_nrmse_of_a_gain_is_the_gain_and_of_nothing_is_one(reference):
    assert nrmse(1.1 * reference, reference) == pytest.approx(0.1, abs=1e-6)
    assert nrmse(np.zeros_like(reference), reference) == pytest.approx(1.0)
    assert np.isnan(nrmse(reference, np.zeros_like(reference)))


def test_equal_images_are_perfect(reference):
    assert psnr(reference, reference) == float("inf")
    assert nrmse(reference, reference) == 0
    assert ssim_2d(reference, reference) == pytest.approx(1, abs=1e-6)
    assert ssim_3d(reference, reference) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("ssim", [ssim_2d, ssim_3d])
def test_ssim_of_two_constants_is_its_luminance_term(ssim):
    one, other = np.full((12, 12, 12), 0.5, np.float32), np.full((12, 12, 12), 0.8, np.float32)
    luminance = (2 * 0.5 * 0.8 + 1e-4) / (0.25 + 0.64 + 1e-4)
    assert ssim(one, other) == pytest.approx(luminance, abs=1e-4)


@pytest.mark.parametrize("ssim", [ssim_2d, ssim_3d])
def test_ssim_of_a_negative_is_negative(ssim):
    wave = 0.5 * np.sin(np.arange(16**3, dtype=np.float32)).reshape(16, 16, 16)
    assert ssim(-wave, wave) < -0.5


def test_ssim_2d_is_the_mean_of_the_slices_scores_and_knows_no_neighbours(reference):
    image = 0.8 * reference + 0.1
    settings = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    slices = [structural_similarity(a, b, **settings) for a, b in zip(image, reference, strict=True)]
    assert ssim_2d(image, reference) == pytest.approx(np.mean(slices), abs=1e-5)
    order = np.random.default_rng(0).permutation(len(image))
    assert ssim_2d(image[order], reference[order]) == pytest.approx(ssim_2d(image, reference), abs=1e-6)
    assert abs(ssim_3d(image[order], reference[order]) - ssim_3d(image, reference)) > 1e-5


def test_ssim_equals_the_formula_at_its_only_place():
    rng = np.random.default_rng(2)
    one, other = rng.random((2, 1, WINDOW_VOXELS, WINDOW_VOXELS))
    bell = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(bell, bell) / bell.sum() ** 2
    mean_1, mean_2 = (window * one[0]).sum(), (window * other[0]).sum()
    variance_1 = (window * one[0] ** 2).sum() - mean_1**2
    variance_2 = (window * other[0] ** 2).sum() - mean_2**2
    covariance = (window * one[0] * other[0]).sum() - mean_1 * mean_2
    expected = (2 * mean_1 * mean_2 + 1e-4) * (2 * covariance + 9e-4)
    expected /= (mean_1**2 + mean_2**2 + 1e-4) * (variance_1 + variance_2 + 9e-4)
    assert ssim_2d(one, other) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_a_full_mask_changes_nothing_and_an_error_outside_a_mask_is_not_seen(metric, reference):
    image = 0.9 * reference
    assert metric(image, reference, np.ones(image.shape, bool)) == pytest.approx(metric(image, reference), rel=1e-6)
    mask = np.zeros(image.shape, bool)
    mask[6:8, 6:8, 6:8] = True
    spoilt = image.copy()
    spoilt[:, :, 15:] = 7
    assert metric(spoilt, reference, mask) == pytest.approx(metric(image, reference, mask), rel=1e-6)
    assert metric(spoilt, reference) != pytest.approx(metric(image, reference), rel=1e-2)


@pytest.mark.parametrize("metric", METRICS)
def test_integers_are_not_wrapped_around(metric):
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 2, (2, 12, 12, 12)).astype(np.uint8)
    assert metric(one, other) == pytest.approx(metric(one.astype(float), other.astype(float)), abs=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_what_cannot_be_compared_is_the_callers_error(metric, reference):
    with pytest.raises(ValueError, match="shapes differ"):
        metric(reference[1:], reference)
    with pytest.raises(ValueError, match="shapes differ"):
        metric(reference, reference, np.ones((2, 2, 2), bool))
    with pytest.raises(ValueError, match="no voxel"):
        metric(reference, reference, np.zeros(reference.shape, bool))


@pytest.mark.parametrize("metric", [ssim_2d, ssim_3d])
def test_ssim_needs_room_for_its_window(metric, reference):
    with pytest.raises(ValueError, match="smaller than the window"):
        metric(reference[:, :10], reference[:, :10])
    corner = np.zeros(reference.shape, bool)
    corner[:2, :2, :2] = True
    with pytest.raises(ValueError, match="where the window"):
        metric(reference, reference, corner)
    assert ssim_2d(reference[:3], reference[:3]) == pytest.approx(1, abs=1e-6)
