import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from udeansr.image.grid import same_grid
from udeansr.image.nibabel_image import nibabel_image
from udeansr.image.sitk_image import sitk_image
from udeansr.image.volume import Geometry, Volume
from udeansr.prediction.image_kinds import as_volume

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
