import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.tone_curve import NODES, ToneCurve
from udeansr.errors import UdeansrError
from udeansr.image.cropping import foreground_mask
from udeansr.image.grid import reorient, same_grid, sr_geometry, sub_geometry
from udeansr.image.normalization import intensity_scale
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.preprocessing.preparation import Prepared, prepare_hr, prepare_lr, prepare_pair, training_box


@st.composite
def boxes(draw: st.DrawFn) -> tuple:
    multiple = draw(st.tuples(*[st.integers(1, 4)] * 3))
    minimum = tuple(draw(st.integers(1, 6)) * step for step in multiple)
    shape = draw(st.tuples(*[st.integers(1, 40)] * 3))
    start = tuple(draw(st.integers(0, n - 1)) for n in shape)
    extent = tuple(draw(st.integers(1, n - a)) for n, a in zip(shape, start, strict=True))
    return (start, extent), shape, minimum, multiple


@given(boxes())
def test_sides_hold_the_minimum_divide_and_stay_inside_where_they_can(case: tuple) -> None:
    (start, extent), shape, minimum, multiple = case
    starts, sides = training_box((start, extent), shape, minimum, multiple)
    for a, n, first, side, length, least, step in zip(
        start, extent, starts, sides, shape, minimum, multiple, strict=True
    ):
        assert side % step == 0 and side >= least
        if length >= least:
            assert first >= 0 and first + side <= length
        else:
            assert side == least and first <= 0 and first + side >= length
        # Less than a multiple is lost, and only where the volume has no room for it.
        lost = max(first - a, 0) + max(a + n - first - side, 0)
        assert lost < step and (lost == 0 or side + step > length)


def test_a_box_that_fits_is_left_alone() -> None:
    assert training_box(((2, 4, 6), (4, 6, 8)), (20, 20, 20), (4, 4, 4), (2, 2, 2)) == ((2, 4, 6), (4, 6, 8))


HERE, LR_HERE = Path("sourceHR/anna.nii.gz"), Path("validationLR/emil.nii.gz")


def scanned(voxels: Volume, orientation: str, degrees: float) -> Volume:
    """A volume as another scanner would store it: turned axes, an oblique table."""
    turned = reorient(voxels, orientation)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    axes = tuple(tuple(row) for row in np.asarray(turned.geometry.axes) @ turn)
    origin = tuple(np.asarray(turned.geometry.origin_mm) @ turn)
    return replace(turned, geometry=replace(turned.geometry, axes=axes, origin_mm=origin))


@pytest.mark.parametrize("orientation", ["SPL", "RAS", "LIA", "ASR"])
@pytest.mark.parametrize("degrees", [0.0, 17.0])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
@pytest.mark.parametrize("prepare", [prepare_hr, prepare_lr])
def test_the_voxels_lie_where_they_were_scanned(
    prepare, orientation: str, degrees: float, dtype: type, blobs, plan: Plan, configuration: Configuration
) -> None:
    volume = blobs.hr(3)
    volume = scanned(Volume(volume.voxels.astype(dtype), volume.geometry), orientation, degrees)
    prepared = prepare(volume, plan, configuration, HERE)
    whole = reorient(volume, plan.orientation)
    assert same_grid(prepared.whole, whole.geometry, 1e-6)
    cut = tuple(slice(a, a + n) for a, n in zip(prepared.start, prepared.voxels.shape, strict=True))
    np.testing.assert_allclose(prepared.voxels * prepared.level, whole.voxels[cut], rtol=1e-6)
    outside = foreground_mask(whole.voxels)
    outside[cut] = False
    assert not outside.any()


def test_arrays_are_float32_in_the_plans_orientation_and_divide(
    blobs, plan: Plan, configuration: Configuration
) -> None:
    prepared = prepare_hr(scanned(blobs.hr(1), "LIA", 5), plan, configuration, HERE)
    assert prepared.voxels.dtype == np.float32
    assert prepared.geometry.orientation == plan.orientation
    assert prepared.geometry.shape == prepared.voxels.shape
    assert not any(n % 2 for n in prepared.voxels.shape)
    assert same_grid(prepared.geometry, sub_geometry(prepared.whole, prepared.start, prepared.geometry.shape))
    assert prepared.voxels.size < blobs.hr(1).voxels.size  # air was cut off


def test_levels_of_both_cohorts(blobs, plan: Plan, configuration: Configuration) -> None:
    hr = blobs.hr(1)
    lr = blobs.lr(hr)
    high = prepare_hr(hr, plan, configuration, HERE)
    low = prepare_lr(lr, plan, configuration, LR_HERE)
    assert high.level == high.intensity_scale == intensity_scale(hr.voxels)
    assert low.intensity_scale == intensity_scale(lr.voxels)
    assert low.level == pytest.approx(plan.lr_gain * low.intensity_scale)
    assert high.voxels.max() == pytest.approx(hr.voxels.max() / high.level, rel=1e-6)
    assert low.voxels.max() == pytest.approx(lr.voxels.max() / low.level, rel=1e-6)


@pytest.mark.parametrize("stored", ["SPL", "RAS", "PSR"])
def test_a_pair_has_one_field_of_view_one_level_and_a_blob_in_one_place(
    stored: str, blobs, plan: Plan, configuration: Configuration, caplog: pytest.LogCaptureFixture
) -> None:
    hr = blobs.hr(5)
    lr, hr = scanned(blobs.lr(hr), "SPL", 9), scanned(hr, stored, 9)
    low, high = prepare_pair(lr, hr, plan, configuration, LR_HERE, HERE)
    assert not caplog.records
    assert same_grid(high.geometry, sr_geometry(low.geometry, configuration.task.factors), 1e-3)
    assert high.level == low.level and high.intensity_scale == low.intensity_scale
    centres = [blobs.centre_mm(Volume(one.voxels, one.geometry)) for one in (low, high)]
    assert np.abs(centres[0] - centres[1]).max() < 0.05
    # The HR was cut, not interpolated.
    assert np.abs(high.voxels * high.level - hr_inside(hr, high)).max() < 1e-3


def hr_inside(hr: Volume, prepared: Prepared) -> np.ndarray:
    whole = reorient(hr, prepared.geometry.orientation).voxels
    return whole[tuple(slice(a, a + n) for a, n in zip(prepared.start, prepared.voxels.shape, strict=True))]


def test_hr_of_a_pair_off_the_grid_is_resampled_with_a_warning(
    blobs, plan: Plan, configuration: Configuration, caplog: pytest.LogCaptureFixture
) -> None:
    hr = blobs.hr(5)
    lr = blobs.lr(hr)
    shifted = replace(hr.geometry, origin_mm=tuple(mm + 0.4 for mm in hr.geometry.origin_mm))
    low, high = prepare_pair(lr, replace(hr, geometry=shifted), plan, configuration, LR_HERE, HERE)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    grid = "(24, 44, 40) voxels of 1 x 1 x 1 mm; expected (24, 44, 40) of 1 x 1 x 1 mm"
    assert record.getMessage() == (
        f"{HERE}: not on the grid of the SR of emil.nii.gz ({grid}); it was resampled onto it"
    )
    assert same_grid(high.geometry, sr_geometry(low.geometry, configuration.task.factors), 1e-3)
    moved = blobs.centre_mm(Volume(high.voxels, high.geometry)) - blobs.centre_mm(Volume(low.voxels, low.geometry))
    np.testing.assert_allclose(moved, 0.4, atol=0.05)


def test_hr_of_another_spacing_is_resampled_with_a_warning(
    blobs, plan: Plan, configuration: Configuration, caplog: pytest.LogCaptureFixture
) -> None:
    hr = blobs.hr(7, spacing_mm=0.9)
    prepared = prepare_hr(hr, plan, configuration, HERE)
    (record,) = caplog.records
    assert record.getMessage() == f"{HERE}: HR of 0.9 x 0.9 x 0.9 mm was resampled to 1 x 1 x 1 mm, as planned"
    assert prepared.geometry.spacing_mm == configuration.task.hr_spacing_mm
    off = blobs.centre_mm(hr) - blobs.centre_mm(Volume(prepared.voxels, prepared.geometry))
    assert np.abs(off).max() < 0.05


def test_hr_within_two_percent_is_taken_as_it_is(
    blobs, plan: Plan, configuration: Configuration, caplog: pytest.LogCaptureFixture
) -> None:
    assert prepare_hr(blobs.hr(7, spacing_mm=1.015), plan, configuration, HERE).geometry.spacing_mm == (1.015,) * 3
    assert not caplog.records


def test_a_volume_smaller_than_a_patch_gets_its_edge_repeated(
    blobs, plan: Plan, changed, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = changed(patch_size=(24, 16), slab_slices=5).configuration("x2x2x2")
    volume = blobs.lr(blobs.hr(2))  # 12 x 22 x 20
    prepared = prepare_lr(volume, plan, configuration, LR_HERE)
    (record,) = caplog.records
    fewer = "(12, 22, 20) voxels are fewer than a patch needs ((5, 24, 16))"
    assert record.getMessage() == f"{LR_HERE}: {fewer}; its edge was repeated"
    assert prepared.voxels.shape[1] == 24 and prepared.start[1] == -1
    np.testing.assert_array_equal(prepared.voxels[:, 0], prepared.voxels[:, 1])
    inside = prepared.voxels[:, 1 : 1 + volume.voxels.shape[1]] * prepared.level
    np.testing.assert_allclose(inside.max(), volume.voxels.max(), rtol=1e-6)


@pytest.mark.parametrize("prepare", [prepare_hr, prepare_lr])
def test_a_volume_without_signal_is_refused(prepare, plan: Plan, configuration: Configuration) -> None:
    empty = Volume(np.zeros((8, 16, 16), np.int16), Geometry((8, 16, 16), (1.0, 1.0, 1.0)))
    with pytest.raises(
        UdeansrError, match=r"^sourceHR/anna\.nii\.gz: no voxel is positive; expected a magnitude image; "
    ):
        prepare(empty, plan, configuration, HERE)


def test_hr_is_brought_to_the_contrast_of_the_lr_where_it_was_measured(blobs, plan, configuration):
    curve = ToneCurve(tuple(np.linspace(0, 1, NODES) ** 0.75))
    frequencies, flat = (0.5,), ((1.0,),) * 3
    measured = MeasuredDegradation(frequencies, flat, (2.4,) * 3, 0.0, 1.0, 0.0, tone=curve)
    with_tone = replace(plan, degradation=measured)
    hr = blobs.hr(7)
    plain, changed = (prepare_hr(hr, one, configuration, HERE) for one in (plan, with_tone))
    shift = tuple(a - b for a, b in zip(plain.start, changed.start, strict=True))
    shared = tuple(slice(a, a + n) for a, n in zip(shift, plain.voxels.shape, strict=True))
    np.testing.assert_allclose(changed.voxels[shared], curve(plain.voxels), atol=2e-3)
    assert changed.level == plain.level
    known = configuration.changed(source_degradation="truncation")
    np.testing.assert_array_equal(prepare_hr(hr, with_tone, known, HERE).voxels, plain.voxels)
