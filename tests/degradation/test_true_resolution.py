import numpy as np
import pytest

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.true_resolution import noise_sigma, resolved_fraction
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc


def anatomy(shape=(12, 96, 120), seed=0):
    """A spectrum that falls as anatomy's does, inside an ellipse."""
    rng = np.random.default_rng(seed)
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    radius = np.sqrt(sum(f**2 for f in grids))
    field = np.fft.ifftn(np.fft.fftn(rng.standard_normal(shape)) / (radius + 0.02) ** 1.3).real
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return np.where(y**2 + x**2 < 0.8, 1 + 0.3 * field / field.std(), 0.0).clip(0).astype(np.float32)


@pytest.mark.parametrize("axis", [1, 2])
def test_zero_filling_is_found_along_its_axis_alone(axis):
    image = anatomy()
    assert [resolved_fraction(image, a) for a in (0, 1, 2)] == [1, 1, 1]
    scale = Scale(1, 2, 1) if axis == 1 else Scale(1, 1, 2)
    filled = sinc(truncate_kspace(image, scale), scale)
    filled += np.random.default_rng(1).normal(0, 1e-3, filled.shape).astype(np.float32)
    found = [resolved_fraction(filled, a) for a in (1, 2)]
    assert found[axis - 1] == pytest.approx(0.5, abs=0.1)
    assert found[2 - axis] == 1


def test_short_axes_and_exact_zeros_say_nothing():
    assert resolved_fraction(np.ones((8, 8, 39), np.float32), 2) == 1
    assert resolved_fraction(np.zeros((8, 64, 64), np.float32), 2) == 1


@pytest.mark.parametrize("sigma", [0.02, 0.05])
def test_noise_is_found_whatever_the_unit(sigma):
    clean = anatomy()
    smooth = sinc(truncate_kspace(clean, Scale(1, 2, 2)), Scale(1, 2, 2))
    noisy = smooth + np.random.default_rng(2).normal(0, sigma, smooth.shape)
    assert noise_sigma(noisy) == pytest.approx(sigma, rel=0.2)
    assert noise_sigma(1000 * noisy) == pytest.approx(1000 * noise_sigma(noisy), rel=1e-3)


def test_no_foreground_has_no_noise():
    assert noise_sigma(np.zeros((4, 16, 16), np.float32)) == 0
