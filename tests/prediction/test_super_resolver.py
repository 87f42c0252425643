import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.resources import files
from typing import get_overloads, get_type_hints

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nibabel.filebasedimages import FileBasedImage

import udeansr
from udeansr import SuperResolver
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale, reorient, same_grid
from udeansr.image.nifti import nibabel_image, nibabel_volume
from udeansr.image.sitk_image import sitk_image, sitk_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.models.calibration import Calibration
from udeansr.models.model import interpolator, load_model
from udeansr.prediction.predictor import Predictor
from udeansr.prediction.super_resolver import SuperResolved, as_volume

OBLIQUE = ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (-1.0, 0.0, 0.0))
GRID = Geometry((3, 4, 5), (2.0, 1.3, 0.7), (-90.0, 12.5, 7.25), OBLIQUE)
FINER = Geometry((6, 8, 10), (1.0, 0.65, 0.35), (-90.2, 12.2, 6.7), OBLIQUE)


@pytest.fixture
def volume() -> Volume:
    return Volume(np.random.default_rng(0).integers(0, 900, GRID.shape).astype(np.int16), GRID)


@pytest.mark.parametrize("kind", [sitk.Image, nibabel.Nifti1Image, Volume])
def test_an_image_becomes_the_volume_it_shows_and_the_way_back_gives_its_kind(volume, kind):
    given = {
        sitk.Image: lambda: sitk_image(volume.voxels, volume.geometry),
        nibabel.Nifti1Image: lambda: nibabel_image(volume),
        Volume: lambda: volume,
    }[kind]()
    found, back = as_volume(given)
    assert found.voxels.dtype == np.int16 and np.array_equal(found.voxels, volume.voxels)
    assert same_grid(found.geometry, GRID)
    finer = Volume(np.random.default_rng(1).random(FINER.shape, np.float32), FINER)
    made = back(finer)
    assert type(made) is kind
    again, _ = as_volume(made)
    assert same_grid(again.geometry, FINER) and np.array_equal(again.voxels, finer.voxels)


def test_what_an_image_says_of_itself_goes_with_it(volume):
    by_sitk, by_nibabel = sitk_image(volume.voxels, volume.geometry), nibabel_image(volume)
    by_sitk.SetMetaData("descrip", "T1 of A")
    by_nibabel.header["descrip"] = b"T1 of A"
    assert as_volume(by_sitk)[1](volume).GetMetaData("descrip") == "T1 of A"
    assert as_volume(by_nibabel)[1](volume).header["descrip"] == b"T1 of A"


@pytest.mark.parametrize("orientation", ["SPL", "LSP", "PIR", "AIR"])
def test_an_array_lies_as_it_is_said_to(volume, orientation):
    found, back = as_volume(volume.voxels, (2.0, 1.3, 0.7), orientation)
    assert found.geometry.orientation == orientation and found.geometry.spacing_mm == (2.0, 1.3, 0.7)
    assert found.voxels is volume.voxels and back(found) is volume.voxels


@pytest.mark.parametrize(
    ("image", "spacing_mm", "message"),
    [
        (np.ones((2, 3)), (1, 1, 1), r"an array of 2 axes \(2, 3\); expected one volume \(Z, Y, X\)"),
        (np.ones((2, 3, 4, 1)), (1, 1, 1), r"an array of 4 axes \(2, 3, 4, 1\); expected one volume"),
        (np.ones((2, 3, 4)), None, r"an array without spacing_mm; expected its voxel size along \(Z, Y, X\) in mm"),
        (np.ones((2, 3, 4)), (1, 1), r"spacing_mm \(1, 1\); expected three positive numbers along \(Z, Y, X\)"),
        (np.ones((2, 3, 4)), (1, 0, 1), r"spacing_mm \(1, 0, 1\); expected three positive numbers"),
        (np.ones((2, 3, 4)), (1, np.nan, 1), r"spacing_mm \(1, nan, 1\); expected three positive numbers"),
        (np.ones((2, 3, 4), complex), (1, 1, 1), "24 voxels of type complex128; expected integers or floats"),
        (np.ones((2, 3, 4), bool), (1, 1, 1), "24 voxels of type bool; expected integers or floats"),
        (np.ones((0, 3, 4)), (1, 1, 1), "0 voxels of type float64; expected integers or floats"),
        (sitk.Image([2, 3, 4], sitk.sitkComplexFloat32), None, "24 voxels of type complex64; expected integers or"),
        (sitk.Image([2, 3, 4], sitk.sitkInt16), (1, 1, 1), "spacing_mm goes with an array; expected none, since the"),
        (torch.ones(2, 3, 4), (1, 1, 1), "spacing_mm goes with an array"),
        (torch.ones(2, 3, 4), None, "an image of type torch.Tensor; expected a SimpleITK image, a nibabel image, or a"),
        ("lr/a.nii.gz", None, "an image of type builtins.str; expected a SimpleITK image"),
    ],
)
def test_what_is_no_image_is_refused(image, spacing_mm, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        as_volume(image, spacing_mm)


NAME = "tiny-t1w-x2x2x2"
AXES_LSP = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0))


@pytest.fixture
def resolver(tiny_model_file) -> SuperResolver:
    """One of weights that do something, and give other answers to mirrored slabs."""
    tiny_model_file(orientation="LSP")
    loaded = SuperResolver.load(NAME, device="cpu", precision="fp32")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in loaded.predictor.model.method.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return loaded


@pytest.fixture
def lying(lr) -> Volume:
    """An LR stored in another order than the model works in."""
    return reorient(Volume(lr.voxels, Geometry((6, 9, 8), (4.0, 2.0, 2.0), (3.0, -4.0, 5.0), AXES_LSP)), "SAR")


def test_the_top_of_the_package_gives_it_and_imports_torch_only_then():
    program = (
        "import sys, udeansr; assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
        "assert set(udeansr.__all__) == {'SuperResolver', 'UdeansrError', '__version__'}\n"
        "from udeansr import SuperResolver; assert 'torch' in sys.modules; SuperResolver.load"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="module 'udeansr' has no attribute 'Resolver'"):
        _ = udeansr.Resolver


def test_all_kinds_of_images_give_the_same_sr_in_their_own_kind(resolver, lying):
    expected = resolver(lying)
    by_sitk = resolver(sitk_image(lying.voxels, lying.geometry))
    by_nibabel = resolver(nibabel_image(lying))
    assert type(by_sitk) is sitk.Image and type(by_nibabel) is nibabel.Nifti1Image and type(expected) is Volume
    for found in (sitk_volume(by_sitk), nibabel_volume(by_nibabel)):
        assert found.voxels.dtype == np.int16 and np.array_equal(found.voxels, expected.voxels)
        assert same_grid(found.geometry, expected.geometry)
    as_the_model_sees_it = reorient(lying, "LSP").voxels
    by_array = resolver(as_the_model_sees_it, spacing_mm=(4.0, 2.0, 2.0))
    assert type(by_array) is np.ndarray and by_array.dtype == np.int16
    np.testing.assert_array_equal(by_array, reorient(expected, "LSP").voxels)
    assert not np.array_equal(resolver(as_the_model_sees_it[:, ::-1], (4, 2, 2))[:, ::-1], by_array), "any turn will do"


def test_the_field_of_view_of_an_oblique_image_is_kept(resolver, lr):
    turn = np.radians(20)
    axes = ((1.0, 0.0, 0.0), (0.0, -np.sin(turn), np.cos(turn)), (0.0, np.cos(turn), np.sin(turn)))
    image = sitk_image(lr.voxels, Geometry((6, 9, 8), (4.0, 2.0, 2.0), (3.0, -4.0, 5.0), axes))
    sr = resolver(image)
    assert sr.GetDirection() == pytest.approx(image.GetDirection())
    assert sr.GetSize() == tuple(2 * n for n in image.GetSize())
    for at in ((-0.5, -0.5, -0.5), (7.5, 8.5, 5.5)):
        fine = [2 * i + 0.5 for i in at]
        assert sr.TransformContinuousIndexToPhysicalPoint(fine) == pytest.approx(
            image.TransformContinuousIndexToPhysicalPoint(at)
        )


@pytest.mark.parametrize("quality", ["balanced", "best"])
def test_a_prediction_is_told_in_the_callers_kind(resolver, lying, quality):
    resolver = replace(resolver, predictor=replace(resolver.predictor, quality=quality, uncertainty=True))
    expected = resolver.predictor.predict(lying)
    made = resolver.predict(nibabel_image(lying))
    assert expected.uncertainty is not None and made.uncertainty is not None
    assert made.uncertainty.get_data_dtype() == np.float32
    np.testing.assert_array_equal(np.asanyarray(made.uncertainty.dataobj).T, expected.uncertainty.voxels)
    np.testing.assert_array_equal(made.uncertainty.affine, made.sr.affine)
    assert made.trust == expected.trust and "consistent with its LR" in str(made.trust)
    by_array = resolver.predict(reorient(lying, "LSP").voxels, (4, 2, 2))
    np.testing.assert_array_equal(by_array.uncertainty, reorient(expected.uncertainty, "LSP").voxels)


def test_without_being_asked_it_tells_no_uncertainty(resolver, lying):
    assert resolver.predict(lying).uncertainty is None


def test_four_threads_give_what_one_gives(resolver, lr):
    images = [
        sitk_image(np.roll(lr.voxels, shift), Geometry((6, 9, 8), (4, 2, 2), axes=AXES_LSP)) for shift in range(8)
    ]
    fresh = replace(resolver, predictor=replace(resolver.predictor))  # what is made once is made under the threads
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(fresh, images))
    for image, sr in zip(images, found, strict=True):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sr), sitk.GetArrayFromImage(resolver(image)))


def test_a_model_is_named_or_lies_somewhere(tiny_model_file, tiny_checkpoint, tmp_path, lr):
    path = tiny_model_file(half=False)
    training = tiny_checkpoint(tmp_path / "training" / "best.pt")
    expected = Predictor(load_model(training))(lr).voxels
    for model in (NAME, path, str(training), training.parent):
        loaded = SuperResolver.load(model, device="cpu", precision="fp32")
        assert (loaded.orientation, loaded.spacing_mm, loaded.scale) == ("SPL", (4.0, 2.0, 2.0), (2, 2, 2))
        np.testing.assert_array_equal(loaded(lr).voxels, expected)
    with pytest.raises(UdeansrError, match=f"^nowhere: neither a file or folder, nor the name .*; there: {NAME}$"):
        SuperResolver.load("nowhere")


def test_its_words_are_those_of_the_command(tiny_model_file, caplog):
    tiny_model_file()
    loaded = SuperResolver.load(NAME, device="cpu", precision="bf16", quality="balanced")
    assert repr(loaded) == f"SuperResolver({NAME}, cpu, bf16, balanced)" and not loaded.is_calibrated
    assert SuperResolver.load(NAME, device="cpu").predictor.quality == "fast" and "calibrated" not in caplog.text
    assert SuperResolver.load(NAME, device="cpu", uncertainty=True).predictor.quality == "best"
    assert f"{NAME} is not calibrated for quality best: uncertainty is the standard deviation" in caplog.text
    with pytest.raises(UdeansrError, match="precision 'half' is none; expected auto"):
        SuperResolver.load(NAME, precision="half")
    with pytest.raises(UdeansrError, match="device 'gpu' is no device; expected auto or one of cpu"):
        SuperResolver.load(NAME, device="gpu")
    with pytest.raises(UdeansrError, match="quality 'fast' of udean gives one prediction; expected at least two"):
        SuperResolver.load(NAME, device="cpu", quality="fast", uncertainty=True)


def test_it_says_whether_it_is_calibrated(resolver):
    calibration = Calibration((0.0, 1.0), (0.0, 2.0), quality="best")
    for quality, says in (("best", True), ("fast", False)):
        model = replace(resolver.predictor.model, calibration=calibration)
        assert SuperResolver(Predictor(model, quality=quality)).is_calibrated is says


def test_another_spacing_is_refused_by_a_training_and_told_by_a_model(tiny_checkpoint, resolver, tmp_path, lr, caplog):
    trained = SuperResolver.load(tiny_checkpoint(tmp_path / "best.pt"), device="cpu")
    with pytest.raises(UdeansrError, match=r"^spacing 4 x 2 x 3 mm \(as SPL\), the model .* was made for 4 x 2 x 2 mm"):
        trained(lr.voxels, spacing_mm=(4, 2, 3))
    with caplog.at_level(logging.WARNING):
        made = resolver.predict(lr.voxels, spacing_mm=(4, 2, 2.5))
        assert made.trust.outside is not None and made.trust.outside[0].startswith("spacing 4 x 2 x 2.5 mm (made for 4")
        assert "OUTSIDE" not in caplog.text
        resolver(lr.voxels, spacing_mm=(4, 2, 2.5))
    assert "OUTSIDE the model's domain: spacing 4 x 2 x 2.5 mm (made for 4 x 2 x 2 mm)" in caplog.text


def test_an_array_without_spacing_is_refused(resolver, lr):
    for method in (resolver, resolver.predict):
        with pytest.raises(ValueError, match="an array without spacing_mm"):
            method(lr.voxels)


def test_a_method_without_a_plan_takes_the_coarsest_axis_of_an_array_for_that_of_its_slabs(lr):
    resolve = SuperResolver(Predictor(interpolator("tricubic", Scale(1, 2, 2))))
    assert resolve.spacing_mm is None
    assert resolve(lr.voxels, (4, 2, 2)).shape == (6, 18, 16)
    assert resolve(lr.voxels, (2, 2, 4)).shape == (12, 18, 8)


def test_a_type_checker_learns_what_comes_of_each_kind():
    kinds = {sitk.Image: sitk.Image, FileBasedImage: nibabel.Nifti1Image, np.ndarray: np.ndarray, Volume: Volume}
    told = [get_type_hints(form) for form in get_overloads(SuperResolver.__call__)]
    assert {hints["image"]: hints["return"] for hints in told} == kinds
    told = [get_type_hints(form) for form in get_overloads(SuperResolver.predict)]
    assert {hints["image"]: hints["return"] for hints in told} == {k: SuperResolved[v] for k, v in kinds.items()}
    assert (files("udeansr") / "py.typed").is_file()


def test_it_learns_from_thick_slices_themselves(tmp_path):
    grid = Geometry((6, 48, 44), (5.0, 1.0, 1.0))
    rng = np.random.default_rng(0)
    for name in ("a_T2w", "b_T2w", "c_FLAIR"):
        write_volume(Volume(rng.integers(1, 900, grid.shape).astype(np.int16), grid), tmp_path / f"{name}.nii.gz")
    quick = ["self.iterations=2", "self.features=4", "self.blocks=1"]
    learned = SuperResolver.learn([tmp_path / "a_T2w.nii.gz", tmp_path / "b_T2w.nii.gz"], "cpu", settings=quick)
    made = learned(read_volume(tmp_path / "a_T2w.nii.gz"))
    assert made.geometry.spacing_mm == (1.0, 1.0, 1.0) and learned.scale == (5, 1, 1)
    with pytest.raises(UdeansrError, match="scans of 2 protocols: 1 image of T2w"):
        SuperResolver.learn([tmp_path / "a_T2w.nii.gz", tmp_path / "c_FLAIR.nii.gz"], "cpu", settings=quick)
    with pytest.raises(UdeansrError, match="scans of 0 protocols"):
        SuperResolver.learn([], "cpu")
    write_volume(Volume(np.ones((8, 8, 8), np.int16), Geometry((8, 8, 8), (1.0, 1.0, 1.0))), tmp_path / "d.nii.gz")
    with pytest.raises(UdeansrError, match="expected thick slices that are sharper in their plane"):
        SuperResolver.learn([tmp_path / "d.nii.gz"], "cpu")
