from typing import Any, cast

import numpy as np
import pytest

from udeansr.degradation.kspace import SHIFTED, TRUNCATION, Degradation, acquire, degrade, truncate_kspace
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.slice_profile import profile_transfer
from udeansr.degradation.spectral_fit import _are_excited, _Fitted, measure_degradation, unfolded_spectrum
from udeansr.degradation.spectrum import BINS, foreground_spectrum, log_spectrum
from udeansr.image.grid import Scale
from udeansr.image.normalization import intensity_scale

SPACING = (2.0, 1.5, 1.0)


def error(measured: MeasuredDegradation, degradation: Degradation, axis: int) -> float:
    """The largest error of the transfer function along an axis."""
    frequencies = np.asarray(measured.frequencies)
    return float(np.abs(np.asarray(measured.transfer[axis]) - degradation.transfer(frequencies, axis)).max())


@pytest.mark.parametrize(
    "degradation",
    [
        Degradation(apodization=0.4, partial_fourier=0.75, noise=0.01),
        Degradation(apodization=0.2, noise=0.03),
    ],
)
def test_what_was_done_to_other_subjects_is_found(random_head, degradation):
    scale, shape = Scale(1, 2, 2), (40, 72, 80)
    hr = [foreground_spectrum(random_head(shape, seed), scale) for seed in range(3)]
    lr, sigmas = [], []
    for seed in range(3, 6):
        voxels = degrade(random_head(shape, seed), scale, degradation, np.random.default_rng(seed))
        lr.append(foreground_spectrum(voxels))
        sigmas.append(degradation.noise * voxels[voxels > 300].mean() / intensity_scale(voxels))
    measured = measure_degradation(hr, lr, SPACING)
    for axis in (0, 2) if degradation.partial_fourier < 1 else (0, 1, 2):
        assert error(measured, degradation, axis) < 0.13
    assert measured.noise == pytest.approx(np.mean(sigmas), rel=0.25)
    if degradation.partial_fourier < 1:
        along_y = np.asarray(measured.transfer[1])
        assert along_y[5] / along_y[10] > 2, "the edge of partial Fourier is not seen"


def test_of_the_same_subjects_it_is_found_closely(random_head):
    degradation = Degradation(apodization=0.35, noise=0.005)
    subjects = [random_head((32, 64, 64), seed) for seed in range(2)]
    truncated = [truncate_kspace(voxels, Scale(1, 2, 2)) / 1000 for voxels in subjects]
    lr = [0.8 * acquire(image, degradation, np.random.default_rng(0)) for image in truncated]
    measured = measure_degradation([log_spectrum(i) for i in truncated], [log_spectrum(i) for i in lr], SPACING)
    assert max(error(measured, degradation, axis) for axis in range(3)) < 0.05
    assert measured.gain == pytest.approx(0.8, rel=0.02)
    assert measured.residual < 0.1


def test_no_degradation_is_measured_as_none(random_head):
    spectra = [foreground_spectrum(random_head((32, 48, 48), seed)) for seed in range(2)]
    measured = measure_degradation(spectra, spectra, SPACING)
    assert min(min(curve) for curve in measured.transfer) > 0.999
    assert measured.gain == pytest.approx(1, abs=1e-3) and measured.residual < 1e-3
    assert measured.width_mm == pytest.approx([1.207 * mm for mm in SPACING], rel=1e-3)


def test_a_transfer_never_rises_and_starts_at_one(random_head):
    hr, lr = ([foreground_spectrum(random_head((32, 40, 40), seed))] for seed in range(2))
    for curve in measure_degradation(hr, lr, SPACING).transfer:
        assert curve[0] == 1 and (np.diff(curve) <= 0).all()


def test_few_slices_leave_bins_empty_and_the_curve_whole():
    rng = np.random.default_rng(0)
    hr, lr = ([log_spectrum(rng.standard_normal((6, 40, 40)))] for _ in range(2))
    measured = measure_degradation(hr, lr, SPACING)
    assert len(measured.transfer[0]) == BINS and np.isfinite(measured.transfer).all()


def measured_across(random_head, degradation: Degradation, scale: Scale, **told) -> MeasuredDegradation:
    """Of LR of three subjects against HR of three others."""
    heads = [random_head((96, 40, 48), seed) for seed in range(6)]
    hr = [foreground_spectrum(head, scale) for head in heads[:3]]
    unfolded = [unfolded_spectrum(head, scale) for head in heads[:3]]
    lr = [degrade(head, scale, degradation, np.random.default_rng(i)) for i, head in enumerate(heads[3:])]
    measured = [foreground_spectrum(one) for one in lr]
    return measure_degradation(hr, measured, SPACING, unfolded, **{"in_plane_alike": True, **told})


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("thickness", [0.7, 1.0])
def test_slices_that_were_excited_are_told_from_encoded_ones_and_their_thickness_is_found(
    random_head, thickness, factor
):
    slices = Degradation(slice_profile="gaussian", slice_thickness=thickness, noise=0.01)
    measured = measured_across(random_head, slices, Scale(factor, 1, 1))
    assert measured.slice_profile == "gaussian"
    assert measured.slice_thickness == pytest.approx(thickness, abs=0.08)
    assert measured.width_mm[0] == pytest.approx(SPACING[0] * measured.slice_thickness, rel=1e-3)
    expected = profile_transfer(np.asarray(measured.frequencies) / 2, thickness)
    assert np.abs(np.asarray(measured.transfer[0]) - expected).max() < 0.06


@pytest.mark.parametrize("degradation", [TRUNCATION, SHIFTED], ids=["truncation", "shifted"])
def test_an_encoded_axis_is_told_as_such(random_head, degradation):
    measured = measured_across(random_head, degradation, Scale(3, 1, 1))
    assert measured.slice_profile is None
    assert error(measured, degradation, 0) < 0.13


@pytest.mark.parametrize(
    ("ratio", "acquisition", "excited"),
    [(0.85, "2D", True), (0.85, "3D", True), (1.0, "2D", True), (1.0, "3D", False), (1.2, "2D", False),
     (1.2, "3D", False), (1.05, None, False), (1.0, None, True)],
)  # fmt: skip
def test_headers_decide_where_the_fit_does_not_contradict(ratio, acquisition, excited):
    class Encoded:
        def transfer(self, parameters):
            return [np.ones(3)] * 3

    encoded = _Fitted(1.0, cast(Any, Encoded()), np.zeros(2))
    assert _are_excited(encoded, _Fitted(ratio, encoded.model, np.zeros(2)), (1.0, 1.0), True, acquisition) == excited


def test_headers_reach_the_measure(random_head):
    measured = measured_across(random_head, TRUNCATION, Scale(3, 1, 1), acquisition="3D")
    assert measured.slice_profile is None


def test_what_is_unfolded_is_the_spectrum_of_hr_that_truncation_cuts():
    noise = np.random.default_rng(0).standard_normal((96, 40, 40)) + 10
    unfolded = unfolded_spectrum(noise, Scale(3, 1, 1))
    assert unfolded.shape == (3 * BINS, BINS, BINS)
    truncated = foreground_spectrum(noise, Scale(3, 1, 1))
    assert np.nanmean(unfolded[4:BINS] - truncated[4:]) == pytest.approx(0, abs=0.05)
