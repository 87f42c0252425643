import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale, reorient, sr_geometry
from udeansr.image.volume import Geometry, Volume
from udeansr.models.calibration import Calibration, smoothed_std
from udeansr.models.model import interpolator, load_model
from udeansr.prediction.predictor import Predictor

TURN = math.radians(20)
OBLIQUE = ((0.0, math.sin(TURN), math.cos(TURN)), (0.0, math.cos(TURN), -math.sin(TURN)), (1.0, 0.0, 0.0))
AXES = {
    "LPS": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
    "LAS": ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)),
    "RAS": ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)),
    "sagittal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    "oblique": OBLIQUE,
    "left-handed oblique": (tuple(-c for c in OBLIQUE[0]), *OBLIQUE[1:]),
}
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")


def volume_on(axes: str, shape=(5, 7, 9), spacing_mm=(3.0, 0.9, 1.1), dtype=np.int16) -> Volume:
    voxels = np.random.default_rng(2).integers(1, 200, shape).astype(dtype)
    return Volume(voxels, Geometry(shape, spacing_mm, (12.3, -45.6, 78.9), AXES[axes]))


def faces_mm(geometry: Geometry) -> np.ndarray:
    """The eight corners of the field of view, the outer corners of voxels, in the order of the array's axes."""
    corners = [[-0.5, n - 0.5] for n in geometry.shape]
    return geometry.world_mm(np.stack(np.meshgrid(*corners, indexing="ij"), axis=-1))


def affine_of(geometry: Geometry) -> np.ndarray:
    """The affine as nibabel reads it: (X, Y, Z) to RAS mm."""
    lps = np.eye(4)
    lps[:3, :3] = geometry.steps_mm[::-1].T
    lps[:3, 3] = geometry.origin_mm
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("axes", AXES)
def test_field_of_view_orientation_and_spacing_are_those_of_the_lr(axes, suffix, tmp_path):
    write_volume(volume_on(axes), tmp_path / f"lr{suffix}")
    lr = read_volume(tmp_path / f"lr{suffix}")
    write_volume(Predictor(interpolator("tricubic", Scale(2, 3, 2)))(lr), tmp_path / f"sr{suffix}")
    sr = read_volume(tmp_path / f"sr{suffix}")
    np.testing.assert_allclose(faces_mm(sr.geometry), faces_mm(lr.geometry), atol=1e-4)
    np.testing.assert_allclose(np.divide(lr.geometry.spacing_mm, sr.geometry.spacing_mm), [2, 3, 2], rtol=1e-5)
    np.testing.assert_allclose(sr.geometry.axes, lr.geometry.axes, atol=1e-6)
    assert sr.geometry.orientation == lr.geometry.orientation
    if suffix.startswith(".nii"):
        seen = nibabel.load(tmp_path / f"sr{suffix}")
        np.testing.assert_allclose(seen.affine, affine_of(sr_geometry(lr.geometry, Scale(2, 3, 2))), atol=1e-4)
        lr_seen = nibabel.load(tmp_path / f"lr{suffix}")
        assert nibabel.aff2axcodes(seen.affine) == nibabel.aff2axcodes(lr_seen.affine)
        assert seen.header["qform_code"] > 0 and seen.header["sform_code"] > 0


@pytest.mark.parametrize("axes", AXES)
def test_a_blob_stays_where_it_was(axes):
    lr = volume_on(axes, shape=(11, 13, 15), spacing_mm=(2.0, 1.0, 1.5), dtype=np.float32)
    z, y, x = np.meshgrid(*(np.arange(n) for n in lr.voxels.shape), indexing="ij")
    lr.voxels[:] = 100 * np.exp(-((z - 5.2) ** 2 + (y - 6.4) ** 2 + (x - 6.7) ** 2) / 4)
    sr = Predictor(interpolator("tricubic", Scale(2, 2, 3)))(lr)
    assert np.abs(centre_mm(sr) - centre_mm(lr)).max() < 0.05 * min(sr.geometry.spacing_mm)


def centre_mm(volume: Volume) -> np.ndarray:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in volume.voxels.shape), indexing="ij"), axis=-1)
    weights = volume.voxels / volume.voxels.sum()
    return volume.geometry.world_mm((index * weights[..., None]).sum(axis=(0, 1, 2)))


@given(st.permutations("SPL"), st.tuples(*[st.booleans()] * 3))
def test_the_order_and_sense_of_stored_axes_do_not_matter(letters, flips):
    opposite = dict(zip("SPL", "IAR", strict=True))
    stored = "".join(opposite[letter] if flip else letter for letter, flip in zip(letters, flips, strict=True))
    lr = volume_on("oblique")
    resolve = Predictor(interpolator("tricubic", Scale(1, 2, 2)))
    turned = resolve(reorient(lr, stored))
    assert turned.geometry.orientation == stored
    expected = resolve(lr)
    np.testing.assert_array_equal(reorient(turned, "SPL").voxels, reorient(expected, "SPL").voxels)


def test_a_model_works_in_its_plans_orientation_whatever_the_stored_one(tiny_checkpoint, tmp_path, lr):
    resolve = Predictor(load_model(tiny_checkpoint(tmp_path / "best.pt")))
    expected = resolve(lr)
    for stored in ("SAR", "LPI", "AIR"):
        turned = resolve(reorient(lr, stored))
        assert turned.geometry.orientation == stored
        invert = reorient(turned, lr.geometry.orientation)
        np.testing.assert_array_equal(invert.voxels, expected.voxels)
        np.testing.assert_allclose(invert.geometry.origin_mm, expected.geometry.origin_mm, atol=1e-9)


@pytest.mark.parametrize("shape", [(5, 7, 9), (1, 5, 5), (2, 6, 3)])
def test_any_size_will_do(tiny_checkpoint, tmp_path, shape):
    lr = volume_on("LPS", shape, (4.0, 2.0, 2.0))
    sr = Predictor(load_model(tiny_checkpoint(tmp_path / "best.pt")))(lr)
    assert sr.voxels.shape == tuple(2 * n for n in shape)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.int32, np.float32])
def test_unit_level_and_numeric_type_are_those_of_the_lr(dtype):
    lr = volume_on("LPS", dtype=dtype)
    sr = Predictor(interpolator("tricubic", Scale(2, 2, 2)))(lr)
    assert sr.voxels.dtype == dtype
    assert sr.voxels.mean() == pytest.approx(lr.voxels.mean(), rel=0.02)


def test_integers_are_rounded_and_clipped_and_floats_are_kept_on_request():
    lr = volume_on("LPS", dtype=np.uint8)
    lr.voxels[:] = np.where(lr.voxels > 100, 255, 0)
    floats = Predictor(interpolator("tricubic", Scale(2, 2, 2)), as_float=True)(lr)
    assert floats.voxels.dtype == np.float32
    assert floats.voxels.max() > 256, "the cubic overshoots"
    integers = Predictor(interpolator("tricubic", Scale(2, 2, 2)))(lr)
    np.testing.assert_array_equal(integers.voxels, np.clip(np.rint(floats.voxels), 0, 255))


def test_nothing_falls_below_zero_unless_the_lr_does():
    lr = volume_on("LPS", dtype=np.float32)
    lr.voxels[:] = np.where(lr.voxels > 100, 1000, 0)
    resolve = Predictor(interpolator("tricubic", Scale(2, 2, 2)))
    assert resolve(lr).voxels.min() == 0
    lr.voxels[0, 0, 0] = -5
    assert resolve(lr).voxels.min() < -5


def test_the_gain_between_the_cohorts_does_not_change_the_level(tiny_checkpoint, tmp_path, lr):
    """What the method sees is LR / scale / gain, and that is undone: a linear method gives the same for any gain."""
    resolve = Predictor(interpolator("tricubic", Scale(2, 2, 2)))
    trained = load_model(tiny_checkpoint(tmp_path / "best.pt"))
    assert trained.plan is not None
    seen = []

    def watched(tensor):
        seen.append(float(tensor.max()))
        return original(tensor)

    original = resolve.model.method.super_resolve
    resolve.model.method.super_resolve = watched
    for gain in (1.0, 0.5):
        with_plan = Predictor(
            replace(resolve.model, plan=replace(trained.plan, lr_gain=gain), configuration=trained.configuration)
        )
        np.testing.assert_allclose(with_plan(lr).voxels, resolve(lr).voxels, atol=1)
    assert seen[2] == pytest.approx(2 * seen[0], rel=1e-6)


def test_progress_reaches_the_end(tiny_checkpoint, tmp_path, lr):
    told = []
    Predictor(load_model(tiny_checkpoint(tmp_path / "best.pt")))(
        lr, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (6, 6)


def test_another_spacing_is_refused_after_reorientation(tiny_checkpoint, tmp_path, lr):
    resolve = Predictor(load_model(tiny_checkpoint(tmp_path / "best.pt")))
    near = Geometry(lr.geometry.shape, (4.07, 1.97, 2.0))
    resolve(Volume(lr.voxels, near))
    far = Geometry(lr.geometry.shape, (4.0, 2.0, 2.3))
    with pytest.raises(UdeansrError) as told:
        resolve(reorient(Volume(lr.voxels, far), "LSP"))
    assert str(told.value) == (
        "spacing 4 x 2 x 2.3 mm (as SPL), the model Dataset007_Tiny x2x2x2 was made for 4 x 2 x 2 mm. Predict with a "
        "model for this spacing, or plan again: udeansr_plan_and_preprocess -d Dataset007_Tiny"
    )


def test_voxels_that_have_no_level_are_refused():
    resolve = Predictor(interpolator("sinc", Scale(2, 2, 2)))
    lr = volume_on("LPS", dtype=np.float32)
    lr.voxels[0, 0, :3] = np.inf
    with pytest.raises(UdeansrError, match="3 voxels are not finite; expected numbers only"):
        resolve(lr)
    lr.voxels[:] = 0
    with pytest.raises(UdeansrError, match="no voxel is above 0; expected an image of magnitudes"):
        resolve(lr)


def test_a_stride_beyond_the_slab_is_refused(tiny_checkpoint, tmp_path):
    resolve = Predictor(load_model(tiny_checkpoint(tmp_path / "best.pt")))
    for stride in (0, 4):
        with pytest.raises(
            UdeansrError, match=f"stride {stride} does not go with a model that predicts 1 of the 3 slices"
        ):
            replace(resolve, stride=stride)


def test_a_file_of_integers_stays_one_of_odd_sizes_too(tmp_path):
    write_volume(volume_on("RAS", shape=(3, 7, 11)), tmp_path / "lr.nii.gz")
    write_volume(
        Predictor(interpolator("tricubic", Scale(1, 2, 2)))(read_volume(tmp_path / "lr.nii.gz")), tmp_path / "sr.nii.gz"
    )
    seen = nibabel.load(tmp_path / "sr.nii.gz")
    assert seen.get_data_dtype() == np.int16 and seen.shape == (22, 14, 3)


@pytest.fixture
def lopsided(tiny_checkpoint, tmp_path):
    """A tiny model that gives other answers to mirrored slabs."""
    resolve = Predictor(load_model(tiny_checkpoint(tmp_path / "lopsided.pt")))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in resolve.model.method.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return resolve


def test_the_lr_says_how_far_to_trust_its_sr_in_any_orientation(lopsided, lr):
    plain = Predictor(interpolator("sinc", Scale(2, 2, 2))).predict(lr).trust
    assert plain.consistency_db > 20 and plain.shift_voxels < 0.05 and plain.gain == pytest.approx(1, abs=0.02)
    assert plain.outside is None
    one, other = (lopsided.predict(reorient(lr, orientation)).trust for orientation in ("SPL", "LAI"))
    assert one.consistency_db == pytest.approx(other.consistency_db, abs=0.01)
    assert one.consistency_db < plain.consistency_db
    tolerant = replace(lopsided, model=replace(lopsided.model, spacing_tolerance=1.0))
    stretched = Volume(lr.voxels, replace(lr.geometry, spacing_mm=(4.0, 2.0, 2.2)))
    assert tolerant.predict(stretched).trust.outside == ("spacing 4 x 2 x 2.2 mm (made for 4 x 2 x 2 mm)",)
    assert tolerant.predict(lr).trust.outside is None


def test_the_result_is_laid_where_it_will_stay_in_the_order_it_is_stored_in(lopsided, lr):
    rooms = []

    def allocate(shape, voxel_type):
        rooms.append(np.full(shape, 7, voxel_type))
        return rooms[-1]

    stored = reorient(lr, "LAI")
    resolve = replace(lopsided, quality="balanced", uncertainty=True)
    made = resolve.predict(stored, allocate=allocate)
    assert made.sr.voxels is rooms[0] and made.uncertainty is not None and made.uncertainty.voxels is rooms[1]
    assert rooms[0].dtype == np.int16 and rooms[1].dtype == np.float32
    assert made.sr.geometry == made.uncertainty.geometry == sr_geometry(stored.geometry, Scale(2, 2, 2))
    np.testing.assert_array_equal(made.sr.voxels, resolve(stored).voxels)


@pytest.mark.parametrize("quality", ["balanced", "best"])
def test_uncertainty_is_the_spread_of_the_answers_in_the_unit_of_the_image(lopsided, lr, quality):
    resolve = replace(lopsided, quality=quality, as_float=True, uncertainty=True)
    made = resolve.predict(lr)
    assert made.uncertainty is not None and made.uncertainty.voxels.min() >= 0
    transforms = resolve.inference.transforms
    answers = []
    for transform in transforms:
        moved = transform.apply(torch.from_numpy(lr.voxels.astype(np.float32))).numpy()
        sr = replace(resolve, quality="fast", uncertainty=False)(Volume(moved, lr.geometry)).voxels
        answers.append(transform.invert(torch.from_numpy(sr)).numpy())
    above = np.min(answers, axis=0) > 0  # nothing is cut off at 0
    np.testing.assert_allclose(made.sr.voxels[above], np.mean(answers, axis=0)[above], rtol=1e-3, atol=0.1)
    std = smoothed_std(np.std(answers, axis=0))
    around = ndimage.binary_erosion(above, np.ones((1, 3, 3)), border_value=True)
    assert around.sum() > 100
    np.testing.assert_allclose(made.uncertainty.voxels[around], std[around], rtol=1e-2, atol=0.1)
    doubled = resolve.predict(Volume(2 * lr.voxels, lr.geometry)).uncertainty
    assert doubled is not None
    np.testing.assert_allclose(doubled.voxels, 2 * made.uncertainty.voxels, rtol=1e-3, atol=0.1)


def test_a_calibrated_model_says_the_error_to_expect(lopsided, lr):
    resolve = replace(lopsided, quality="balanced", uncertainty=True)
    std = resolve.predict(lr).uncertainty
    calibrated = (
        replace(resolve, model=replace(resolve.model, calibration=Calibration((0.0, 10.0), (0.0, 30.0), "balanced")))
        .predict(lr)
        .uncertainty
    )
    assert std is not None and calibrated is not None
    np.testing.assert_allclose(calibrated.voxels, 3 * std.voxels, rtol=1e-4)


def test_uncertainty_needs_two_answers(lopsided):
    with pytest.raises(
        UdeansrError, match=r"quality 'fast' of udean gives one prediction; expected at least two, which "
    ):
        replace(lopsided, uncertainty=True)
    with pytest.raises(UdeansrError, match="tricubic gives one prediction; leave out"):
        Predictor(interpolator("tricubic", Scale(2, 2, 2)), quality="best", uncertainty=True)


def test_threads_share_one_model(lopsided, lr):
    volumes = [Volume(np.roll(lr.voxels, shift), lr.geometry) for shift in range(8)]
    expected = [lopsided(volume).voxels for volume in volumes]
    with ThreadPoolExecutor(4) as threads:
        for found, alone in zip(threads.map(lopsided, volumes), expected, strict=True):
            np.testing.assert_array_equal(found.voxels, alone)


def test_a_model_may_be_used_at_any_spacing_where_its_tolerance_says_so(lopsided, lr):
    far = Volume(lr.voxels, Geometry(lr.geometry.shape, (5.0, 1.0, 1.0)))
    assert replace(lopsided, model=replace(lopsided.model, spacing_tolerance=float("inf")))(
        far
    ).geometry.spacing_mm == (2.5, 0.5, 0.5)
