import numpy as np
import pytest

from udeansr.degradation.slice_profile import SLICE_PROFILES, acquire_slices, profile_transfer, slice_weights
from udeansr.errors import UdeansrError


@pytest.mark.parametrize("profile", SLICE_PROFILES)
@pytest.mark.parametrize(("factor", "thickness"), [(2, 2.0), (3, 2.1), (5, 6.0)])
def test_slices_keep_a_constant_and_the_field_of_view(profile, factor, thickness):
    weights = slice_weights(31, factor, thickness, profile)
    assert weights.shape == (31 // factor, 31)
    assert weights.sum(1) == pytest.approx(1)
    inner = weights[2:-2] if factor < 5 else weights[2:4]
    for number, row in enumerate(inner, start=2):
        assert row @ np.arange(31) == pytest.approx(number * factor + (factor - 1) / 2, abs=0.02)


def test_a_gaussian_has_the_width_that_is_said():
    row = slice_weights(101, 1, 9.0)[50]
    half = np.interp([-4.5, 4.5], np.arange(101) - 50, row / row.max())
    assert half == pytest.approx(0.5, abs=0.01)


def test_a_box_holds_what_lies_in_it_and_nothing_else():
    assert slice_weights(12, 4, 4.0, "box")[1] == pytest.approx([0] * 4 + [0.25] * 4 + [0] * 4, abs=0.01)
    assert slice_weights(12, 4, 2.0, "box")[1] == pytest.approx([0] * 5 + [0.5] * 2 + [0] * 5, abs=0.02)


def test_frequencies_above_the_nyquist_of_the_slices_fold_back():
    z = np.arange(300)
    wave = np.cos(2 * np.pi * z / 4)[:, None, None] + np.zeros((1, 2, 2))  # 0.25 a voxel; Nyquist of every third: 1/6
    slices = acquire_slices(wave, 3, 3.0)[10:-10, 0, 0]
    power = np.abs(np.fft.rfft(slices - slices.mean()))
    assert np.argmax(power) / len(slices) == pytest.approx(0.25, abs=0.01)  # |3 / 4 - 1| a slice
    expected = np.exp(-((np.pi * 0.25 * 3.0) ** 2) / (4 * np.log(2)))
    assert np.abs(slices).max() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis_may_be_that_of_the_slices(axis):
    volume = np.random.default_rng(0).random((12, 12, 12)).astype(np.float32)
    along = acquire_slices(volume, 3, 2.5, axis=axis)
    assert np.allclose(along, np.moveaxis(acquire_slices(np.moveaxis(volume, axis, 0), 3, 2.5), 0, axis))
    assert along.dtype == np.float32


def test_what_is_no_slice_is_refused():
    with pytest.raises(UdeansrError, match="slice profile 'sinc' is not known; expected gaussian or box"):
        slice_weights(10, 2, 2.0, "sinc")
    for factor, thickness in ((11, 2.0), (2, 0.0), (2, float("nan"))):
        with pytest.raises(ValueError, match="slices of"):
            slice_weights(10, factor, thickness)


@pytest.mark.parametrize("profile", SLICE_PROFILES)
def test_the_transfer_is_that_of_the_weights(profile):
    row = slice_weights(201, 1, 9.0, profile)[100]
    frequency = np.array([0.0, 0.02, 0.05, 0.1])
    found = [(row * np.cos(2 * np.pi * f * (np.arange(201) - 100))).sum() for f in frequency]
    assert found == pytest.approx(profile_transfer(frequency, 9.0, profile), abs=0.01)
