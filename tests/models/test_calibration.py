import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.models.calibration import KNOTS, Calibration, smoothed_std
from udeansr.strict_json import as_json, from_json


@pytest.fixture
def voxels():
    """Spreads, and errors that are twice as large as they say, plus a floor."""
    rng = np.random.default_rng(0)
    std = rng.gamma(2, 0.01, 200_000)
    return std, rng.standard_normal(len(std)) * (2 * std + 0.005)


def test_the_error_to_expect_is_that_which_was_found(voxels):
    std, error = voxels
    curve = Calibration.fitted(std, error)
    assert len(curve.std) == KNOTS
    for value in (0.005, 0.02, 0.04):
        assert curve(np.array(value)) == pytest.approx(2 * value + 0.005, rel=0.06)
    expected = curve(std)
    assert np.sqrt(np.mean((error / expected) ** 2)) == pytest.approx(1, abs=0.03)


def test_more_spread_never_means_less_error():
    rng = np.random.default_rng(1)
    curve = Calibration.fitted(rng.random(2_000), rng.standard_normal(2_000))
    assert all(a <= b for a, b in zip(curve.error, curve.error[1:], strict=False))


def test_voxels_of_one_spread_share_a_knot():
    std = np.repeat([0.0, 1.0], 5 * KNOTS)
    curve = Calibration.fitted(std, np.where(std == 0, 0.5, 2.0))
    assert curve.std == (0.0, 1.0)
    assert curve.error == pytest.approx((0.5, 2.0))


def test_beyond_the_ends_the_ends_hold():
    curve = Calibration((0.1, 0.2), (1.0, 3.0))
    assert curve(np.array([0.0, 0.1, 0.15, 0.2, 9.0], np.float32)).tolist() == pytest.approx([1, 1, 2, 3, 3])
    assert curve(np.zeros((2, 3, 4))).shape == (2, 3, 4)


def test_a_steadied_spread_keeps_the_variance_and_loses_chance():
    rng = np.random.default_rng(0)
    answers = rng.standard_normal((4, 5, 60, 50))
    std = answers.std(axis=0, ddof=1)
    calm = smoothed_std(std)
    assert calm.shape == std.shape
    assert np.mean(calm**2) == pytest.approx(np.mean(std**2), rel=0.01)
    assert calm.std() < 0.5 * std.std()
    flat = np.full((2, 4, 4), 3.0)
    np.testing.assert_allclose(smoothed_std(flat), flat)
    one = np.zeros((3, 9, 9))
    one[1, 4, 4] = 3.0
    np.testing.assert_allclose(smoothed_std(one)[1, 3:6, 3:6], 1.0)
    assert smoothed_std(one).sum() == pytest.approx(9.0)


def test_it_comes_back_from_json(voxels):
    curve = Calibration.fitted(*voxels)
    assert from_json(Calibration, as_json(curve), "here") == curve


@pytest.mark.parametrize(
    "values",
    [
        {"std": [0.1, 0.1], "error": [1, 2], "quality": "best"},
        {"std": [0.1, 0.2], "error": [2, 1], "quality": "best"},
        {"std": [0.1], "error": [1, 2], "quality": "best"},
        {"std": [], "error": [], "quality": "best"},
        {"std": [-0.1], "error": [1], "quality": "best"},
        {"std": ["a"], "error": [1], "quality": "best"},
    ],
)
def test_what_is_no_curve_is_refused(values):
    with pytest.raises(UdeansrError, match=r"here: .*expected"):
        from_json(Calibration, values, "here")


def test_too_few_voxels_are_refused():
    with pytest.raises(ValueError, match="at least 24"):
        Calibration.fitted(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="30 spreads and 31 errors"):
        Calibration.fitted(np.zeros(30), np.zeros(31))
