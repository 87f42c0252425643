import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from udeansr.image.nifti_writing import write_nifti
from udeansr.image.sitk_image import sitk_image
from udeansr.image.volume import Geometry, Volume

TILT = ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (1.0, 0.0, 0.0))
AXES = {
    "straight": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
    "sagittal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    "oblique": TILT,
    "left-handed": (TILT[0], TILT[1], (-1.0, 0.0, 0.0)),
}


def volume(axes: str, dtype: object = np.int16) -> Volume:
    voxels = np.random.default_rng(0).integers(0, 200, (5, 6, 7)).astype(dtype)
    return Volume(voxels, Geometry((5, 6, 7), (2.0, 1.33, 0.7), (-90.1, 12.3, 7.25), AXES[axes]))


@pytest.mark.parametrize("axes", AXES)
def test_the_header_is_the_one_that_itk_writes(tmp_path, axes):
    given = volume(axes)
    write_nifti(given, tmp_path / "ours.nii.gz")
    sitk.WriteImage(sitk_image(given.voxels, given.geometry), str(tmp_path / "itk.nii.gz"))
    ours, itk = (nibabel.load(tmp_path / f"{name}.nii.gz").header for name in ("ours", "itk"))
    for code in ("qform_code", "sform_code", "xyzt_units", "datatype"):
        assert ours[code] == itk[code]
    np.testing.assert_array_equal(ours["dim"][:4], itk["dim"][:4])
    np.testing.assert_allclose(ours["pixdim"][:4], itk["pixdim"][:4], atol=1e-6)
    np.testing.assert_allclose(ours.get_qform(), itk.get_qform(), atol=1e-5)  # both in float32, of some 90 mm
    np.testing.assert_allclose(ours.get_sform(), itk.get_sform(), atol=1e-6)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, np.int64])
def test_two_readers_find_the_voxels_as_they_were(tmp_path, suffix, dtype):
    given, path = volume("oblique", dtype), tmp_path / f"a{suffix}"
    write_nifti(given, path)
    by_itk, by_nibabel = sitk.ReadImage(str(path)), nibabel.load(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(by_itk), given.voxels)
    np.testing.assert_array_equal(np.asanyarray(by_nibabel.dataobj).T, given.voxels)
    assert by_nibabel.get_data_dtype() == dtype
    np.testing.assert_allclose(by_itk.GetOrigin(), given.geometry.origin_mm, atol=1e-5)


def test_voxels_that_lie_in_a_file_or_in_another_order_are_written_alike(tmp_path):
    given = volume("straight")
    write_nifti(given, tmp_path / "a.nii")
    lying = np.memmap(tmp_path / "voxels", given.voxels.dtype, "w+", shape=given.voxels.shape)
    lying[:] = given.voxels
    turned = np.asfortranarray(given.voxels)
    for voxels in (lying, turned):
        write_nifti(Volume(voxels, given.geometry), tmp_path / "b.nii")
        assert (tmp_path / "b.nii").read_bytes() == (tmp_path / "a.nii").read_bytes()
