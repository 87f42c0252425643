import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udeansr.degradation.kspace import Degradation, acquire, degrade, truncate_kspace
from udeansr.degradation.measured_degradation import (
    MeasuredDegradation,
    add_rician_noise,
    apply_measured,
    convolve,
    deconvolve,
    width_voxels,
    with_deconvolved,
)
from udeansr.degradation.slice_profile import acquire_slices
from udeansr.degradation.spectral_fit import measure_degradation
from udeansr.degradation.spectrum import BINS, foreground_spectrum, log_spectrum
from udeansr.errors import UdeansrError
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import Scale, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.normalization import intensity_scale
from udeansr.strict_json import as_json, from_json

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w"
SPACING = (2.0, 1.5, 1.0)
CENTRES = (np.arange(BINS) + 0.5) / BINS


def error(measured: MeasuredDegradation, degradation: Degradation, axis: int) -> float:
    """The largest error of the transfer function along an axis."""
    frequencies = np.asarray(measured.frequencies)
    return float(np.abs(np.asarray(measured.transfer[axis]) - degradation.transfer(frequencies, axis)).max())


def test_slices_are_excited_and_the_plane_is_truncated_and_blurred(random_head):
    curves = ((1.0, 0.5), (1.0, 0.7), (1.0, 1.0))
    measured = MeasuredDegradation((0.25, 0.75), curves, (2.0, 2.0, 2.0), 0.0, 1.0, 0.1, "gaussian", 0.8)
    hr, scale = random_head((24, 32, 40), 0), Scale(3, 2, 1)
    slices = truncate_kspace(acquire_slices(hr, 3, 2.4), Scale(1, 2, 1))
    np.testing.assert_allclose(apply_measured(hr, scale, measured), convolve(slices, measured, (1, 2)), atol=1e-3)
    encoded = replace(measured, slice_profile=None)
    truncated = convolve(truncate_kspace(hr, scale), encoded)
    np.testing.assert_allclose(apply_measured(hr, scale, encoded), truncated, atol=1e-3)
    with pytest.raises(ValueError, match="slice_profile"):
        replace(measured, slice_profile="sinc")


def test_width_is_that_of_a_sinc_and_grows_with_the_blur():
    assert width_voxels(CENTRES, np.ones(BINS)) == pytest.approx(1.207, abs=0.002)
    sigma = 2.0
    gaussian = np.exp(-((np.pi * CENTRES) ** 2) * sigma**2 / 2)
    assert width_voxels(CENTRES, gaussian) == pytest.approx(2.3548 * sigma, rel=0.02)
    widths = [width_voxels(CENTRES, Degradation(apodization=a).transfer(CENTRES, 0)) for a in (0, 0.2, 0.4)]
    assert widths == sorted(widths) and widths[2] > 1.2 * widths[0]


def test_a_measured_degradation_comes_back_from_json_and_what_is_none_is_refused():
    spectrum = log_spectrum(np.random.default_rng(0).random((16, 16, 16)))
    measured = measure_degradation([spectrum], [spectrum], SPACING)
    values = as_json(measured)
    assert from_json(MeasuredDegradation, values, "here") == measured
    for key, wrong in (("noise", -1), ("width_mm", [1, 2]), ("frequencies", [0.5])):
        with pytest.raises(UdeansrError, match=f"here: .*'{key}'"):
            from_json(MeasuredDegradation, {**values, key: wrong}, "here")


def test_nothing_in_common_is_the_callers_mistake():
    with pytest.raises(ValueError, match="no cell"):
        measure_degradation([np.full((4, 4, 4), np.nan)], [np.zeros((4, 4, 4))], SPACING)


def test_on_the_example_it_comes_as_near_as_the_documentation_says():
    simulation = json.loads((EXAMPLE / "simulation.json").read_text())
    degradation, scale = Degradation(**simulation["degradation"]), Scale.parse(simulation["scale"])
    spectra = {"sourceHR": [], "targetLR": []}
    sigmas = []
    for group, found in spectra.items():
        for path in list_images(EXAMPLE / group):
            volume = read_volume(path)
            voxels = reorient(volume, slab_orientation(volume.geometry)).voxels
            found.append(foreground_spectrum(voxels, scale if group == "sourceHR" else None))
            if group == "targetLR":
                added = simulation["scans"]["target"][case_name(path)]["noise_sigma"]
                sigmas.append(np.sqrt(added**2 + 1 / 12) / intensity_scale(voxels))
    measured = measure_degradation(spectra["sourceHR"], spectra["targetLR"], SPACING)
    assert error(measured, degradation, 0) < 0.06 and error(measured, degradation, 2) < 0.10
    assert measured.noise == pytest.approx(np.mean(sigmas), rel=0.10)


FLAT, BLUR = (1.0,) * BINS, tuple(float(f) for f in Degradation(apodization=0.4).transfer(CENTRES, 0))


def measured(z=FLAT, y=FLAT, x=FLAT, noise=0.0, gain=1.0) -> MeasuredDegradation:
    return MeasuredDegradation(tuple(CENTRES), (z, y, x), (2.4, 2.4, 2.4), noise, gain, 0.0)


def test_a_measured_blur_is_along_its_own_axis_keeps_the_mean_and_may_be_none(random_head):
    head = random_head((24, 32, 32), 0)
    np.testing.assert_allclose(convolve(head, measured()), head, atol=1e-3 * head.max())
    blurred = convolve(head, measured(y=BLUR))
    assert blurred.mean() == pytest.approx(head.mean(), rel=1e-3)
    along_y = np.diff(blurred, axis=1).std() / np.diff(head, axis=1).std()
    along_x = np.diff(blurred, axis=2).std() / np.diff(head, axis=2).std()
    assert along_y < along_x
    swapped = convolve(head.transpose(1, 0, 2), measured(z=BLUR))
    np.testing.assert_allclose(swapped.transpose(1, 0, 2), blurred, atol=1e-3 * head.max())


def test_a_measured_blur_is_the_degradation_that_was_measured(random_head):
    hr, scale = random_head((24, 48, 48), 0), Scale(1, 2, 2)
    lr = degrade(hr, scale, Degradation(apodization=0.4), np.random.default_rng(0))
    made = np.abs(convolve(truncate_kspace(hr, scale), measured(BLUR, BLUR, BLUR)))
    assert np.abs(made - lr).mean() < 0.01 * lr.max()


def test_rician_noise_is_that_of_two_channels():
    rng = np.random.default_rng(0)
    bright, dark = np.full((30, 30, 30), 1.0), np.zeros((30, 30, 30))
    assert np.std(add_rician_noise(bright, 0.02, rng)) == pytest.approx(0.02, rel=0.02)
    assert np.mean(add_rician_noise(dark, 0.02, rng)) == pytest.approx(0.02 * np.sqrt(np.pi / 2), rel=0.02)
    assert add_rician_noise(dark, 0.02, rng).dtype == np.float32


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


def test_nothing_is_deconvolved_where_nothing_was_done(image):
    assert np.allclose(deconvolve(image, measured(), log_spectrum(image)), image, atol=1e-5)


def test_a_blur_without_noise_is_undone(image):
    falling = tuple(float(f) for f in np.linspace(0.99, 0.3, 16))
    blur = measured(falling, falling, falling, noise=1e-6)
    blurred = convolve(image, blur)
    assert np.abs(blurred - image).max() > 0.05
    assert np.abs(deconvolve(blurred, blur, log_spectrum(image)) - image).max() < 0.005


def test_a_deconvolved_image_is_nearer_to_the_truth_than_what_was_measured(image, rng):
    degradation = Degradation(apodization=0.4, noise=0.05)
    lr = acquire(image + 3, degradation, rng) - 3
    curve = tuple(float(degradation.transfer(np.array(f), 2)) for f in CENTRES)
    back = deconvolve(lr, measured(curve, curve, curve, noise=float(0.05 * (image + 3).mean())), log_spectrum(image))
    assert np.mean((back - image) ** 2) < 0.7 * np.mean((lr - image) ** 2)


def test_noise_alone_is_lowered_and_the_mean_is_kept(image, rng):
    noise = rng.standard_normal(image.shape).astype(np.float32) + 5
    back = deconvolve(noise, measured(noise=1.0), log_spectrum(0.01 * image))
    assert back.std() < 0.2 * noise.std()
    assert back.mean() == pytest.approx(noise.mean(), rel=1e-5)


def test_the_level_of_the_lr_is_its_own(image):
    falling = tuple(np.linspace(1, 0.5, BINS))
    louder = deconvolve(3 * image, measured(falling, falling, falling, 0.02, gain=3.0), log_spectrum(image))
    plain = deconvolve(image, measured(falling, falling, falling, 0.02 / 3), log_spectrum(image))
    assert np.allclose(louder, 3 * plain, atol=1e-4)


def test_a_network_gets_both(image):
    both = with_deconvolved(image, measured(x=BLUR), log_spectrum(image))
    assert both.shape == (2, *image.shape)
    assert both.dtype == np.float32
    assert np.array_equal(both[1], image)
    assert not np.allclose(both[0], image, atol=1e-2)
