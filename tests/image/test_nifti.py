import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume
from udeansr.image.grid import same_grid
from udeansr.image.nifti import affine_ras, check_whole, nibabel_image, nibabel_volume, write_nifti
from udeansr.image.sitk_image import sitk_image
from udeansr.image.volume import Geometry, Volume

AXES = {
    "straight": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
    "sagittal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    "oblique": ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (1.0, 0.0, 0.0)),
    "left-handed": ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (-1.0, 0.0, 0.0)),
}


def volume(axes: str = "oblique", dtype: object = np.int16) -> Volume:
    voxels = np.random.default_rng(0).integers(0, 200, (5, 6, 7)).astype(dtype)
    return Volume(voxels, Geometry((5, 6, 7), (2.0, 1.33, 0.7), (-90.1, 12.3, 7.25), AXES[axes]))


def test_the_affine_is_that_of_ras():
    given = volume()
    for z, y, x in ((0, 0, 0), (4, 1, 6)):
        left, posterior, superior = given.geometry.world_mm((z, y, x))
        np.testing.assert_allclose(affine_ras(given.geometry) @ (x, y, z, 1), (-left, -posterior, superior, 1))


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_a_volume_comes_back_as_it_was(axes, dtype):
    given = volume(axes, dtype)
    found = nibabel_volume(nibabel_image(given))
    assert found.voxels.dtype == dtype and np.array_equal(found.voxels, given.voxels)
    assert same_grid(found.geometry, given.geometry)


def test_an_image_lies_where_the_file_of_it_is_read(tmp_path):
    turned = np.array([[0, 0, 2.0, -9], [-1.5, 0, 0, 8], [0, 0.7, 0, 7], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), turned)
    nibabel.save(image, tmp_path / "a.nii")
    by_itk, ours = read_volume(tmp_path / "a.nii"), nibabel_volume(image)
    assert same_grid(by_itk.geometry, ours.geometry) and np.array_equal(by_itk.voxels, ours.voxels)
    assert by_itk.geometry.orientation == ours.geometry.orientation


def test_what_an_image_says_of_itself_is_kept_and_what_is_of_its_grid_is_not():
    source = nibabel.Nifti1Image(np.zeros((7, 6, 5), np.int16), np.eye(4))
    source.set_sform(np.eye(4), 4)
    source.header["descrip"], source.header["cal_max"], source.header["slice_duration"] = b"T1 of A", 900, 0.5
    made = nibabel_image(volume(), source)
    assert (made.header["sform_code"], made.header["qform_code"]) == (4, 4)
    assert made.header["descrip"] == b"T1 of A" and made.header["cal_max"] == 900
    assert made.header["slice_duration"] == 0 and made.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(made.header.get_zooms(), (0.7, 1.33, 2.0), rtol=1e-6)


@pytest.mark.parametrize(("unit", "of_mm"), [("meter", 1e3), ("micron", 1e-3), ("mm", 1.0), ("unknown", 1.0)])
def test_the_unit_of_the_header_holds(unit, of_mm):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.diag([2.0, 3.0, 4.0, 1.0]))
    image.header.set_xyzt_units(unit)
    np.testing.assert_allclose(nibabel_volume(image).geometry.spacing_mm, np.array([4, 3, 2]) * of_mm)


def test_other_formats_and_big_endian_ones_are_taken(tmp_path):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    header = nibabel.Nifti1Header(endianness=">")
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4), header), tmp_path / "a.nii")
    for image in (nibabel.MGHImage(voxels.astype(np.float32), np.eye(4)), nibabel.load(tmp_path / "a.nii")):
        given = nibabel_volume(image)
        np.testing.assert_array_equal(given.voxels, voxels.T)
        made = nibabel_image(given, image)
        np.testing.assert_array_equal(made.get_fdata(), voxels)
        assert made.header["sform_code"] > 0


def test_a_4d_image_of_one_volume_is_that_volume():
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4, 1)
    np.testing.assert_array_equal(nibabel_volume(nibabel.Nifti1Image(voxels, np.eye(4))).voxels, voxels[..., 0].T)


def test_rescaled_numbers_are_what_they_are_rescaled_to(tmp_path):
    image = nibabel.Nifti1Image(np.full((2, 2, 2), 12.0), np.eye(4))
    image.header.set_data_dtype(np.int16)
    image.header.set_slope_inter(0.5, 1.0)
    nibabel.save(image, tmp_path / "a.nii")
    found = nibabel_volume(nibabel.load(tmp_path / "a.nii")).voxels
    assert found.dtype.kind == "f" and np.allclose(found, 7)


@pytest.mark.parametrize(
    ("shape", "affine", "message"),
    [
        ((4, 5, 6, 2), np.eye(4), "the nibabel image: a 4-D image of 2 volumes"),
        ((4, 5), np.eye(4), "the nibabel image: a 2-D image"),
        ((4, 5, 6), None, "the nibabel image: it has no affine"),
        ((4, 5, 6), np.diag([1.0, 0, 1, 1]), r"the nibabel image: spacing \(1.0, 0.0, 1.0\) mm"),
    ],
)
def test_what_is_not_one_volume_in_space_is_refused(shape, affine, message):
    image = nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4))
    image._affine = affine
    with pytest.raises(UdeansrError, match=f"^{message}"):
        nibabel_volume(image)


def test_colour_and_skew_axes_are_refused():
    colour = nibabel.Nifti1Image(np.zeros((2, 2, 2), [(name, np.uint8) for name in "RGB"]), np.eye(4))
    with pytest.raises(UdeansrError, match=r"^the nibabel image: 3 values a voxel"):
        nibabel_volume(colour)
    skew = np.eye(4)
    skew[0, 1] = 0.3
    with pytest.raises(UdeansrError, match=r"^the nibabel image: its axes are 0.\d+ off right angles"):
        nibabel_volume(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), skew))


def written(path, dtype):
    voxels = np.random.default_rng(0).uniform(1, 900, (5, 6, 7)).astype(dtype)
    header = nibabel.Nifti1Header(endianness=dtype[0])
    header.set_data_dtype(voxels.dtype)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4), header), path)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", ">i2"])
def test_a_whole_file_passes(tmp_path, suffix, dtype):
    path = written(tmp_path / f"a{suffix}", dtype)
    check_whole(path)
    assert read_volume(path).voxels.shape == (7, 6, 5)


@pytest.mark.parametrize("dtype", ["<i2", ">f4"])
def test_a_file_that_ends_early_is_refused(tmp_path, dtype):
    path = written(tmp_path / "a.nii", dtype)
    whole = len(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UdeansrError, match=rf"a.nii: cut off: .*{whole - 3} of the {whole} bytes"):
        read_volume(path)


def test_a_compressed_file_that_ends_early_or_is_corrupt_is_refused(tmp_path):
    path = written(tmp_path / "a.nii.gz", "<i2")
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(UdeansrError, match=r"a.nii.gz: cannot be read \(.*ended before"):
        read_volume(path)
    path.write_bytes(content[:-8] + bytes(4) + content[-4:])
    with pytest.raises(UdeansrError, match=r"a.nii.gz: cannot be read \(CRC check failed"):
        read_volume(path)


def test_what_is_no_nifti_is_left_to_the_reader(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(gzip.compress(b"something else"))
    check_whole(path)
    with pytest.raises(UdeansrError, match="cannot be read"):
        read_volume(path)


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
