import numpy as np
import pytest

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc
from udeansr.prediction.refinement import back_projected, median_of_moves

SCALE = Scale(2, 2, 2)
RNG = np.random.default_rng(3)
LR = RNG.random((4, 6, 6), dtype=np.float32)
BIAS = RNG.random((8, 12, 12), dtype=np.float32)


def lopsided(lr: np.ndarray) -> np.ndarray:
    """Interpolation by something that knows up from down and left from right."""
    return sinc(lr, SCALE) ** 2 + BIAS


@pytest.mark.parametrize("turns", [True, False])
def test_the_median_treats_all_sides_alike(turns):
    """Flipping the volume and flipping its SR are the same, whatever the network prefers; turning too, if it turns."""
    sr = median_of_moves(lopsided, LR, turns)
    for axis in (1, 2):
        np.testing.assert_allclose(median_of_moves(lopsided, np.flip(LR, axis), turns), np.flip(sr, axis), atol=1e-5)
    turned = median_of_moves(lopsided, np.rot90(LR, axes=(1, 2)), turns)
    assert np.allclose(turned, np.rot90(sr, axes=(1, 2)), atol=1e-5) == turns
    assert not np.allclose(lopsided(np.flip(LR, 1)), np.flip(lopsided(LR), 1), atol=1e-5)


@pytest.mark.parametrize("turns", [True, False])
def test_the_median_changes_nothing_where_all_answers_are_one(turns):
    np.testing.assert_allclose(median_of_moves(lambda lr: sinc(lr, SCALE), LR, turns), sinc(LR, SCALE), atol=1e-5)


def test_the_median_of_a_volume_that_is_not_square():
    sr = median_of_moves(lambda lr: lr.repeat(2, 1).repeat(2, 2), LR[:, :4], True)
    np.testing.assert_array_equal(sr, LR[:, :4].repeat(2, 1).repeat(2, 2))


def missed(sr: np.ndarray, times: int, lr: np.ndarray, scale: Scale) -> float:
    return float(np.abs(lr - truncate_kspace(back_projected(sr, lr, scale, times), scale)).max())


@pytest.mark.parametrize("factors", [(2, 2, 2), (1, 2, 2), (1, 3, 2)])
@pytest.mark.parametrize("sides", [(4, 6, 8), (5, 7, 9)])
def test_each_back_projection_brings_sr_closer_to_its_lr(sides, factors):
    scale = Scale(*factors)
    lr = RNG.random(sides, dtype=np.float32)
    sr = RNG.random([n * s for n, s in zip(sides, factors, strict=True)], dtype=np.float32)
    distances = [missed(sr, times, lr, scale) for times in (0, 1, 2, 10)]
    if all(side % 2 for side in sides):
        assert distances[1] < 1e-5 < distances[0]
    else:
        assert distances[0] > distances[1] > distances[2] > distances[3]
    assert distances[3] < 0.1 * distances[0]


def test_without_back_projection_and_with_nothing_to_mend_sr_stays():
    hr = RNG.random((6, 10, 14), dtype=np.float32)
    lr = truncate_kspace(hr, SCALE)
    np.testing.assert_array_equal(back_projected(hr, lr + 1, SCALE, 0), hr)
    np.testing.assert_allclose(back_projected(hr, lr, SCALE, 10), hr, atol=1e-5)
