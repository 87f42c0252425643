import numpy as np
import pytest
from scipy.signal import windows

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.spectrum import (
    BINS,
    TAPERED,
    foreground_spectrum,
    log_spectrum,
    mean_spectrum,
    permutation_p,
    spectrum_distance,
    taper,
)
from udeansr.image.cropping import foreground_box
from udeansr.image.grid import Scale
from udeansr.image.normalization import intensity_scale, normalize


@pytest.mark.parametrize("shape", [(48, 48, 48), (40, 51, 66)])
def test_white_noise_has_its_variance_in_every_cell(shape):
    noise = 3.0 * np.random.default_rng(0).standard_normal(shape)
    spectrum = log_spectrum(noise)
    assert spectrum.shape == (BINS, BINS, BINS)
    weights = np.isfinite(spectrum)
    assert weights.all()
    assert np.exp(spectrum).mean() == pytest.approx(9.0, rel=0.03)
    assert np.exp(spectrum[8:, 8:, 8:]).mean() == pytest.approx(9.0, rel=0.05)


def test_a_wave_lies_in_the_cell_of_its_frequency():
    n = np.arange(64)
    wave = np.cos(2 * np.pi * 9 / 64 * n)[None, :, None] * np.ones((32, 1, 32))
    cell = np.unravel_index(np.nanargmax(log_spectrum(wave, bins=(8, 8, 8))), (8, 8, 8))
    assert cell == (0, 9 * 2 * 8 // 64, 0)


def test_scaling_the_image_adds_to_the_logarithm():
    voxels = np.random.default_rng(0).random((36, 40, 44))
    np.testing.assert_allclose(log_spectrum(10 * voxels) - log_spectrum(voxels), np.log(100), atol=1e-4)


def test_a_small_volume_has_empty_cells_and_the_mean_passes_over_them():
    small, large = (np.random.default_rng(0).random((n, 32, 32)) for n in (6, 32))
    spectrum = log_spectrum(small)
    filled = np.isfinite(spectrum).any((1, 2))
    assert filled.sum() == 4 and filled[0] and filled[15]
    mean = mean_spectrum([spectrum, log_spectrum(large)])
    assert np.isfinite(mean).all()
    assert np.isnan(mean_spectrum([spectrum])[1]).all()


def test_the_foreground_is_cut_normalised_and_truncated(random_head):
    head = np.pad(random_head((33, 40, 40), 1), ((8, 0), (3, 9), (0, 0)))
    scale = Scale(2, 2, 2)
    (z, y, x), shape = foreground_box(head)
    depth, height, width = (n // 2 * 2 for n in shape)
    box = normalize(head[z : z + depth, y : y + height, x : x + width], intensity_scale(head))
    magnitude = np.abs(truncate_kspace(box, scale))
    np.testing.assert_array_equal(foreground_spectrum(head, scale), log_spectrum(magnitude))
    np.testing.assert_allclose(foreground_spectrum(7 * head), foreground_spectrum(head), atol=1e-4)
    with pytest.raises(ValueError, match="no voxel is positive"):
        foreground_spectrum(np.zeros((8, 8, 8)))


def test_distance_is_in_decades():
    spectra = [log_spectrum(np.random.default_rng(seed).random((16, 16, 16))) for seed in range(3)]
    assert spectrum_distance(spectra, spectra) == 0
    louder = [spectrum + np.log(10) for spectrum in spectra]
    assert spectrum_distance(spectra, louder) == pytest.approx(1.0)
    assert spectrum_distance(louder[:1], spectra[:1]) == pytest.approx(1.0)


def test_nothing_in_common_is_the_callers_mistake():
    empty = np.full((BINS, BINS, BINS), np.nan)
    with pytest.raises(ValueError, match="no cell"):
        spectrum_distance([empty], [empty])
    with pytest.raises(ValueError, match="without volumes"):
        spectrum_distance([], [empty])


def cohort(subjects, seed, fall=0.0):
    """Log spectra of subjects who differ in level and a little in every cell; ``fall`` is what a blur takes away."""
    rng = np.random.default_rng(seed)
    cells = np.linspace(0, 1, 5)[:, None, None] + np.zeros((5, 4, 4))
    mean = -4 * cells - fall * cells**2
    return [mean + rng.normal() + 0.3 * rng.standard_normal(cells.shape) for _ in range(subjects)]


def test_what_is_alike_is_seldom_significant():
    found = [permutation_p(cohort(8, 2 * seed), cohort(8, 2 * seed + 1)) for seed in range(60)]
    assert sum(p < 0.05 for p in found) <= 8  # 3 are expected
    assert 0.35 < np.mean(found) < 0.65


def test_a_blur_is_significant():
    assert permutation_p(cohort(4, 0), cohort(4, 1, fall=2.0)) == pytest.approx(2 / 70)  # the least there is
    assert permutation_p(cohort(12, 0), cohort(12, 1, fall=2.0)) == pytest.approx(1 / 2000)  # drawn


def test_a_level_of_their_own_is_no_degradation():
    louder = [spectrum + 3 for spectrum in cohort(6, 1)]
    assert permutation_p(cohort(6, 0), louder) == permutation_p(cohort(6, 0), cohort(6, 1)) > 0.05


@pytest.mark.parametrize(("hr", "lr"), [(1, 1), (3, 3), (1, 12)])
def test_few_subjects_cannot_tell(hr, lr):
    assert permutation_p(cohort(hr, 0), cohort(lr, 1, fall=9.0)) is None


def test_empty_cells_are_left_out():
    one, other = cohort(5, 0), cohort(5, 1, fall=2.0)
    one[2][0, 0, 0] = np.nan
    assert permutation_p(one, other) == pytest.approx(2 / 252)
    assert permutation_p([np.full((2, 2, 2), np.nan)] * 5, [np.zeros((2, 2, 2))] * 5) is None


@pytest.mark.parametrize("shape", [(3, 16, 17), (40, 101, 256), (1, 2, 5)])
def test_volumes_are_tapered_by_tukeys_window(shape):
    tapered, energy = taper(np.ones(shape))
    expected = [windows.tukey(size + 2, TAPERED)[1:-1] for size in shape]
    for axis, window in enumerate(expected):
        inner = tuple(slice(None) if i == axis else n // 2 for i, n in enumerate(shape))
        scale = np.prod([w[n // 2] for i, (w, n) in enumerate(zip(expected, shape, strict=True)) if i != axis])
        assert np.allclose(tapered[inner], window * scale, rtol=1e-6)
    assert energy == np.prod([np.sum(window**2) for window in expected])
