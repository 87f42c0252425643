import numpy as np

from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.inference.band import Band

SCALE = Scale(3, 1, 1)


def test_interpolation_in_the_band_is_interpolation_of_the_lr():
    """So nothing of the LR is lost, whatever the two grids."""
    lr = np.random.default_rng(0).random((7, 41, 52), np.float32)
    band = Band(lr, (4.0, 0.5, 0.7), (4.0, 1.3, 1.0), SCALE)
    assert band.lr.shape == (7, 16, 36)
    coarse = tricubic(band.lr, SCALE)
    whole = np.concatenate([band.whole(first, coarse[first : first + 5]) for first in range(0, 21, 5)])
    np.testing.assert_allclose(whole, tricubic(lr, SCALE), atol=2e-5)


def test_an_axis_of_its_own_spacing_stays():
    lr = np.random.default_rng(0).random((4, 30, 20), np.float32)
    band = Band(lr, (4.0, 0.5, 1.0), (4.0, 1.0, 1.0), SCALE)
    assert band.lr.shape == (4, 15, 20)
    assert band.finer(np.ones((2, 15, 20), np.float32)).shape == (2, 30, 20)


def test_what_lies_well_below_its_nyquist_is_nearly_all_in_the_band():
    y = np.arange(200)
    slow = np.broadcast_to(np.cos(np.pi * 0.3 * y).astype(np.float32)[:, None], (2, 200, 8)).copy()
    band = Band(slow, (4.0, 0.5, 1.0), (4.0, 1.0, 1.0), SCALE)
    rest = band.whole(0, np.zeros((6, 100, 8), np.float32))
    assert np.abs(rest[:, 20:-20]).max() < 0.05
