import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udeansr.degradation.spectrum import taper
from udeansr.evaluation.fidelity import BANDS, gain, largest_shift_voxels, spectrum_error_db
from udeansr.image.files import list_images, read_volume
from udeansr.image.normalization import intensity_scale, normalize

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w" / "testHR"
MEASURES = (spectrum_error_db, largest_shift_voxels, gain)


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """A real HR scan, tapered, so that nothing jumps where k-space takes the borders for neighbours."""
    voxels = read_volume(list_images(EXAMPLE)[0]).voxels
    return taper(normalize(voxels, intensity_scale(voxels)))[0]


@pytest.fixture(scope="module")
def noise(head) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(head.shape).astype(np.float32)


def filtered(voxels: np.ndarray, *factors: np.ndarray) -> np.ndarray:
    """k-space times a factor along each axis."""
    kspace = np.fft.fftn(voxels)
    for axis, factor in enumerate(factors):
        kspace = kspace * factor.reshape([-1 if i == axis else 1 for i in range(3)])
    return np.fft.ifftn(kspace).real.astype(np.float32)


def moved(voxels: np.ndarray, shift: tuple[float, ...]) -> np.ndarray:
    """The content displaced by a fraction of a voxel."""
    return filtered(
        voxels, *(np.exp(-2j * np.pi * np.fft.fftfreq(n) * s) for n, s in zip(voxels.shape, shift, strict=True))
    )


def low_passed(voxels: np.ndarray, part: float) -> np.ndarray:
    """Zero beyond a part of Nyquist along every axis."""
    return filtered(voxels, *(np.abs(np.fft.fftfreq(n)) < part / 2 for n in voxels.shape))


@pytest.mark.parametrize("level", [1.0, 1.03, 0.5])
def test_a_level_is_the_gain_and_the_same_in_all_bands(head, level):
    image = np.float32(level) * head
    assert list(spectrum_error_db(image, head)) == list(BANDS)
    assert list(spectrum_error_db(image, head).values()) == pytest.approx([20 * math.log10(level)] * 3, abs=1e-4)
    assert largest_shift_voxels(image, head) == pytest.approx(0, abs=1e-4)
    assert gain(image, head) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize("shift", [(0.05, 0.0, 0.0), (0.1, -0.4, 0.2), (0.0, 0.3, 1.7)])
def test_a_shift_is_told_whatever_its_axis_and_sign_and_is_no_error_of_another_kind(head, shift):
    image = moved(head, shift)
    assert largest_shift_voxels(image, head) == pytest.approx(np.abs(shift).max(), abs=0.02)
    assert largest_shift_voxels(head, image) == pytest.approx(np.abs(shift).max(), abs=0.02)
    assert list(spectrum_error_db(image, head).values()) == pytest.approx([0, 0, 0], abs=0.5)
    assert gain(image, head) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize(
    ("part", "kept", "lost"), [(0.5, ["low"], ["middle", "high"]), (0.75, ["low", "middle"], ["high"])]
)
def test_lost_detail_is_told_by_its_band_and_is_no_loss_of_level(head, part, kept, lost):
    image = low_passed(head, part)
    errors = spectrum_error_db(image, head)
    assert all(abs(errors[band]) < 0.3 for band in kept) and all(errors[band] < -15 for band in lost)
    assert gain(image, head) == pytest.approx(1, abs=0.003)
    assert largest_shift_voxels(image, head) < 0.03


def test_noise_is_power_invented_most_where_there_is_least(head, noise):
    errors = spectrum_error_db(head + 0.1 * noise, head)
    assert 0 < errors["low"] < errors["middle"] < errors["high"] and errors["high"] > 10
    assert gain(head + 0.1 * noise, head) == pytest.approx(1, abs=0.003)


def test_white_noise_against_white_noise_has_the_ratio_of_their_powers(noise):
    assert list(spectrum_error_db(3 * noise, noise[::-1]).values()) == pytest.approx([20 * math.log10(3)] * 3, abs=0.2)


def test_all_frequencies_of_a_band_weigh_alike(noise):
    # Beyond 0.25 Nyquist 20 dB less: in all cells of the low band but 4 of 8 along each axis. A sum says -9 dB.
    errors = spectrum_error_db(0.1 * noise + 0.9 * low_passed(noise, 0.25), noise)
    assert errors["low"] == pytest.approx(-20 * (1 - 0.5**3), abs=1)


def test_bands_of_which_the_reference_was_never_measured_have_no_score(head):
    errors = spectrum_error_db(head, low_passed(head, 0.5))
    assert errors["low"] == pytest.approx(0, abs=0.3)
    assert math.isnan(errors["middle"]) and math.isnan(errors["high"])


def test_noise_for_an_image_is_no_error(noise, head):
    assert math.isfinite(largest_shift_voxels(noise, head)) and abs(gain(noise, head)) < 0.05
    assert all(error > 5 for error in spectrum_error_db(noise, head).values())


@given(st.tuples(*[st.integers(1, 9)] * 3), st.integers(0, 99))
def test_tiny_volumes_have_scores_or_none_but_break_nothing(shape, seed):
    one, other = np.random.default_rng(seed).random((2, *shape), dtype=np.float32)
    assert not any(math.isinf(error) for error in spectrum_error_db(one, other).values())
    assert all(error == 0 or math.isnan(error) for error in spectrum_error_db(one, one).values())
    assert gain(one, one) == pytest.approx(1)
    if one.size > 1:
        assert largest_shift_voxels(one, one) == pytest.approx(0, abs=1e-3)
        assert math.isfinite(largest_shift_voxels(one, other))


def test_constant_and_empty_images(head):
    empty, constant = np.zeros_like(head), np.full_like(head, 2)
    assert all(math.isnan(error) for error in spectrum_error_db(empty, head).values())
    assert all(math.isnan(error) for error in spectrum_error_db(head, empty).values())
    assert spectrum_error_db(constant, head)["high"] < -40
    assert gain(empty, head) == 0 and gain(constant, 4 * constant) == pytest.approx(0.25)
    for one, other in ((constant, head), (head, empty)):
        with pytest.raises(ValueError, match="a constant image lies nowhere"):
            largest_shift_voxels(one, other)
    with pytest.raises(ValueError, match="the reference is zero"):
        gain(head, empty)


@pytest.mark.parametrize("measure", MEASURES)
def test_integers_are_not_wrapped_around(measure):
    one, other = np.random.default_rng(3).integers(0, 255, (2, 12, 13, 14)).astype(np.uint8)
    assert measure(one, other) == pytest.approx(measure(one.astype(float), other.astype(float)), abs=1e-4)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_cannot_be_compared_is_the_callers_error(measure, head):
    with pytest.raises(ValueError, match="shapes differ"):
        measure(head[1:], head)
    with pytest.raises(ValueError, match="or are empty"):
        measure(head[:0], head[:0])
