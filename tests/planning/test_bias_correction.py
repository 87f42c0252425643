import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from udeansr.degradation.kspace import Degradation, degrade, noise_sigma, truncate_kspace
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.spectral_fit import measure_degradation
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.image.files import write_volume
from udeansr.image.grid import reorient
from udeansr.image.normalization import intensity_scale
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.bias_correction import HIDDEN_NOISE, DegradedSampleRequest, degrade_sample, with_hidden_noise
from udeansr.planning.cohort_grid import CohortGrid

GRID = CohortGrid("SPL", (2.0, 2.0, 2.0), (1.0, 1.0, 1.0))
FREQUENCIES = tuple((np.arange(16) + 0.5) / 16)
BLUR = tuple(0.6 + 0.4 * np.cos(0.9 * np.pi * np.asarray(FREQUENCIES)))


def measured(*transfer, noise=0.0) -> MeasuredDegradation:
    return MeasuredDegradation(FREQUENCIES, transfer, (2.4, 2.4, 2.4), noise, 1.0, 0.0)


@pytest.fixture
def head() -> np.ndarray:
    """A ball of texture with a bright, thin rim: what blur dims."""
    z, y, x = np.meshgrid(*[np.arange(48) - 23.5] * 3, indexing="ij")
    radius = np.sqrt(z**2 + y**2 + x**2)
    texture = 100 + 10 * np.random.default_rng(0).standard_normal(radius.shape)
    return np.where(radius < 20, texture, np.where(radius < 22, 250, 0)).astype(np.float32)


def test_the_gain_is_that_of_the_true_degradation(head, tmp_path):
    volume = reorient(Volume(head, Geometry(head.shape, (1.0, 1.0, 1.0))), "LAI")
    write_volume(volume, tmp_path / "a.nii.gz")
    found = degrade_sample(
        DegradedSampleRequest(tmp_path / "a.nii.gz", GRID, measured(BLUR, BLUR, BLUR, noise=0.01))
    ).level_gain
    lr = degrade(head, GRID.scale, Degradation(apodization=0.4, noise=0.01), np.random.default_rng(1))
    assert found == pytest.approx(intensity_scale(head) / intensity_scale(lr), rel=0.02)
    assert found > 1.1
    again = degrade_sample(
        DegradedSampleRequest(tmp_path / "a.nii.gz", GRID, measured(BLUR, BLUR, BLUR, noise=0.01))
    ).level_gain
    assert again == found  # its noise is the same each time


@pytest.mark.parametrize("noise", [0.01, 0.02])
def test_the_noise_of_the_channels_is_found_in_magnitudes(head, tmp_path, noise):
    """A smooth ball in much air: its spectrum shows a noise that is too low."""
    head = gaussian_filter(head, 1.5)
    write_volume(reorient(Volume(head, Geometry(head.shape, (1.0, 1.0, 1.0))), "LAI"), tmp_path / "a.nii.gz")
    lr = degrade(head, GRID.scale, Degradation(noise=noise), np.random.default_rng(1))
    truth = noise_sigma(truncate_kspace(head, GRID.scale), Degradation(noise=noise)) / intensity_scale(lr)
    spectra = [foreground_spectrum(head, GRID.scale)], [foreground_spectrum(lr)]
    seen = measure_degradation(*spectra, GRID.lr_spacing_mm)
    samples = [degrade_sample(DegradedSampleRequest(tmp_path / "a.nii.gz", GRID, seen))]
    found = with_hidden_noise(seen, samples, GRID.lr_spacing_mm)
    assert abs(found.noise - truth) < 0.5 * abs(seen.noise - truth)
    assert seen.noise < found.noise < HIDDEN_NOISE * seen.noise
    assert found.transfer == seen.transfer


def test_no_noise_stays_none(head, tmp_path):
    write_volume(Volume(head, Geometry(head.shape, (1.0, 1.0, 1.0))), tmp_path / "a.nii.gz")
    ones = (1.0,) * 16
    seen = measured(ones, ones, ones, noise=1e-9)
    samples = [degrade_sample(DegradedSampleRequest(tmp_path / "a.nii.gz", GRID, seen))]
    assert with_hidden_noise(seen, samples, GRID.lr_spacing_mm).noise < 2e-9
