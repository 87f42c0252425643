import numpy as np
import pytest

from udeansr.degradation.kspace import Degradation, acquire
from udeansr.degradation.restoration import restored, with_restored
from udeansr.degradation.spectrum import log_spectrum
from udeansr.degradation.transfer import MeasuredDegradation, blur_as_measured

FREQUENCIES = tuple((np.arange(16) + 0.5) / 16)


def measured(transfer=(1.0,) * 16, noise=0.0, gain=1.0):
    return MeasuredDegradation(FREQUENCIES, (transfer, transfer, transfer), (1.0, 1.0, 1.0), noise, gain, 0.0)


@pytest.fixture
def image(rng):
    """A volume with the falling spectrum that images have."""
    white = np.fft.rfftn(rng.standard_normal((24, 30, 28)))
    z, y, x = np.meshgrid(np.fft.fftfreq(24), np.fft.fftfreq(30), np.fft.rfftfreq(28), indexing="ij")
    falling = white / (0.02 + np.sqrt(z**2 + y**2 + x**2)) ** 1.5
    return (np.fft.irfftn(falling, (24, 30, 28), axes=(0, 1, 2)) / 20).astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_nothing_is_changed_where_nothing_was_done(image):
    assert np.allclose(restored(image, measured(), log_spectrum(image)), image, atol=1e-5)


def test_a_blur_without_noise_is_undone(image):
    falling = tuple(float(f) for f in np.linspace(0.99, 0.3, 16))
    known = measured(falling, noise=1e-6)
    blurred = blur_as_measured(image, known)
    assert np.abs(blurred - image).max() > 0.05
    assert np.abs(restored(blurred, known, log_spectrum(image)) - image).max() < 0.005


def test_a_restored_image_is_nearer_to_the_truth_than_what_was_measured(image, rng):
    degradation = Degradation(apodization=0.4, noise=0.05)
    lr = acquire(image + 3, degradation, rng) - 3
    curve = tuple(float(degradation.transfer(np.array(f), 2)) for f in FREQUENCIES)
    back = restored(lr, measured(curve, noise=float(0.05 * (image + 3).mean())), log_spectrum(image))
    assert np.mean((back - image) ** 2) < 0.7 * np.mean((lr - image) ** 2)


def test_noise_alone_is_lowered_and_the_mean_is_kept(image, rng):
    noise = rng.standard_normal(image.shape).astype(np.float32) + 5
    back = restored(noise, measured(noise=1.0), log_spectrum(0.01 * image))
    assert back.std() < 0.2 * noise.std()
    assert back.mean() == pytest.approx(noise.mean(), rel=1e-5)


def test_the_level_of_the_lr_is_its_own(image):
    louder = restored(3 * image, measured(tuple(np.linspace(1, 0.5, 16)), 0.02, gain=3.0), log_spectrum(image))
    plain = restored(image, measured(tuple(np.linspace(1, 0.5, 16)), 0.02 / 3), log_spectrum(image))
    assert np.allclose(louder, 3 * plain, atol=1e-4)


def test_a_network_is_shown_both(image):
    both = with_restored(image, measured(tuple(np.linspace(1, 0.5, 16))), log_spectrum(image))
    assert both.shape == (2, *image.shape)
    assert both.dtype == np.float32
    assert np.array_equal(both[1], image)
    assert not np.allclose(both[0], image, atol=1e-2)
