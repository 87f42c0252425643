import numpy as np
import pytest

from udeansr.report.encoding import decode, encode


@pytest.mark.parametrize("levels", [255, 127, 63])
def test_values_come_back_to_half_a_step(levels):
    voxels = np.random.default_rng(0).uniform(-20, 900, (5, 7, 6)).astype(np.float32)
    encoded = encode(voxels, -20, 900, levels)
    assert encoded.step == pytest.approx(920 / levels)
    assert np.abs(decode(encoded) - voxels).max() <= encoded.step / 2 * 1.001
    assert encoded.clipped == 0


def test_what_lies_outside_is_shown_at_the_end_and_counted():
    voxels = np.array([[[-5.0, 0.0, 50.0, 100.0, 150.0, np.nan, np.inf, 40.0]]])
    encoded = encode(voxels, 0, 100)
    np.testing.assert_allclose(decode(encoded).ravel(), [0, 0, 50, 100, 100, 0, 100, 40], atol=encoded.step / 2)
    assert encoded.clipped == pytest.approx(2 / 8)


def test_what_is_smooth_takes_less_than_noise():
    z, y, x = np.indices((20, 30, 30))
    rng = np.random.default_rng(0)
    smooth, noise = np.sin(x / 9) + np.cos(y / 7) + z / 20, rng.uniform(-2, 3, (20, 30, 30))
    assert len(encode(smooth, -2, 3).text) < 0.5 * len(encode(noise, -2, 3).text)


def test_a_constant_volume_has_a_step():
    np.testing.assert_allclose(decode(encode(np.full((2, 3, 4), 7.0), 7, 7)), 7)
