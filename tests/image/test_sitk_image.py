import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from udeansr.errors import UdeansrError
from udeansr.image.grid import same_grid
from udeansr.image.sitk_image import keep_metadata, sitk_image, sitk_volume
from udeansr.image.volume import Geometry


def test_every_voxel_keeps_its_value_and_its_place_in_the_world():
    axes = ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (-1.0, 0.0, 0.0))
    geometry = Geometry((3, 4, 5), (2.0, 1.3, 0.7), (-90.0, 12.5, 7.25), axes)
    voxels = np.arange(60, dtype=np.int16).reshape(geometry.shape)
    image = sitk_image(voxels, geometry)
    for z, y, x in np.ndindex(*geometry.shape):
        assert image.GetPixel(x, y, z) == voxels[z, y, x]
        assert np.allclose(image.TransformIndexToPhysicalPoint((x, y, z)), geometry.world_mm((z, y, x)))


def test_a_volume_comes_back_as_it_was():
    axes = ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (-1.0, 0.0, 0.0))
    geometry = Geometry((3, 4, 5), (2.0, 1.3, 0.7), (-90.0, 12.5, 7.25), axes)
    voxels = np.random.default_rng(0).normal(size=geometry.shape).astype(np.float32)
    image = sitk_image(voxels, geometry)
    found = sitk_volume(image)
    np.testing.assert_array_equal(found.voxels, voxels)
    assert same_grid(found.geometry, geometry, 1e-6)


def test_a_4d_image_of_one_volume_is_that_volume_and_others_are_refused():
    one = sitk.JoinSeries([sitk.Image([5, 4, 3], sitk.sitkInt16)])
    assert sitk_volume(one).voxels.shape == (3, 4, 5)
    with pytest.raises(UdeansrError, match=r"^the SimpleITK image: a 4-D image of 2 volumes; expected one"):
        sitk_volume(sitk.JoinSeries([sitk.Image([5, 4, 3], sitk.sitkInt16)] * 2))


def test_metadata_that_tell_of_the_old_grid_are_left_behind():
    source, made = sitk.Image([2, 2, 2], sitk.sitkInt16), sitk.Image([4, 4, 4], sitk.sitkInt16)
    kept = {"descrip": "T1", "mine": "x", "0010|0010": "A^B", "0020|000d": "1.2", "0008|0060": "MR"}
    stale = ["pixdim[1]", "dim[0]", "srow_x", "qoffset_x", "ITK_original_spacing", "datatype", "0028|0030", "0008|0018"]
    for key, value in (kept | dict.fromkeys(stale, "1")).items():
        source.SetMetaData(key, value)
    keep_metadata(source, made)
    assert {key: made.GetMetaData(key) for key in made.GetMetaDataKeys()} == kept


def test_nothing_of_a_nifti_file_is_kept_that_a_finer_grid_belies(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 3, 2), np.int16), np.diag([2, 2, 3, 1.0])), tmp_path / "a.nii")
    made = sitk.Image([8, 6, 2], sitk.sitkInt16)
    keep_metadata(sitk.ReadImage(str(tmp_path / "a.nii")), made)
    words = {"aux_file", "cal_max", "cal_min", "descrip", "intent_code", "intent_name"}
    assert set(made.GetMetaDataKeys()) == words | {"intent_p1", "intent_p2", "intent_p3"}
