import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from udeansr.errors import UdeansrError
from udeansr.image import files
from udeansr.image.files import list_images, read_geometry, read_volume, write_volume
from udeansr.image.grid import reorient_geometry, same_grid
from udeansr.image.names import IMAGE_SUFFIXES, case_name
from udeansr.image.volume import Geometry, Volume

TILT = ((0.0, -0.28, 0.96), (0.0, 0.96, 0.28), (1.0, 0.0, 0.0))
STRAIGHT = Geometry((5, 6, 7), (2.0, 1.33, 0.7), (-90.1, 12.3, 7.25))
GRIDS = {
    "LPS": STRAIGHT,
    "LAS": reorient_geometry(STRAIGHT, "SAL"),
    "oblique": Geometry((5, 6, 7), (2.0, 1.33, 0.7), (-90.1, 12.3, 7.25), TILT),
    "left-handed": Geometry((5, 6, 7), (2.0, 1.33, 0.7), (-90.1, 12.3, 7.25), (TILT[0], TILT[1], (-1.0, 0.0, 0.0))),
}


def volume_on(geometry: Geometry, dtype=np.int16) -> Volume:
    return Volume(np.arange(np.prod(geometry.shape)).reshape(geometry.shape).astype(dtype), geometry)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.float32, np.int32])
def test_written_volumes_are_read_back_as_they_were(tmp_path, suffix, grid, dtype):
    volume = volume_on(GRIDS[grid], dtype)
    path = tmp_path / "new" / f"head{suffix}"
    write_volume(volume, path)
    found = read_volume(path)
    assert found.voxels.dtype == dtype
    assert np.array_equal(found.voxels, volume.voxels)
    assert same_grid(found.geometry, volume.geometry, tolerance_mm=1e-4)
    assert same_grid(read_geometry(path), volume.geometry, tolerance_mm=1e-4)
    assert [child.name for child in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("grid", GRIDS)
def test_nibabel_sees_the_voxels_where_we_say(tmp_path, grid):
    volume = volume_on(GRIDS[grid])
    write_volume(volume, tmp_path / "head.nii.gz")
    image = nibabel.load(tmp_path / "head.nii.gz")
    for index in [(0, 0, 0), (4, 5, 6), (1, 2, 3)]:
        ras = (image.affine @ [*index[::-1], 1])[:3]
        assert np.allclose(ras * (-1, -1, 1), volume.geometry.world_mm(index), atol=1e-4)
        assert np.asarray(image.dataobj)[index[::-1]] == volume.voxels[index]


@pytest.mark.parametrize(("given", "stored"), [(bool, np.uint8), (np.float16, np.float32)])
def test_types_that_formats_lack_are_widened(tmp_path, given, stored):
    write_volume(Volume(np.ones((3, 3, 3), dtype=given), Geometry((3, 3, 3), (1, 1, 1))), tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii").voxels.dtype == stored


def test_spacing_is_rounded_off_float32(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), np.int16), np.diag([0.7, 0.7, 0.7, 1])), tmp_path / "a.nii.gz")
    assert read_geometry(tmp_path / "a.nii.gz").spacing_mm == (0.7, 0.7, 0.7)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha", "a.nrrd"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_is_not_hidden(tmp_path, name, dtype):
    volume = volume_on(GRIDS["LAS"], dtype)
    volume.voxels[1, 2, 3], volume.voxels[4, 5, 6] = np.nan, np.inf
    write_volume(volume, tmp_path / name)
    assert np.array_equal(np.isfinite(read_volume(tmp_path / name).voxels), np.isfinite(volume.voxels))


def test_names(tmp_path):
    assert case_name(Path("a/sub-01.ses-2_T1w.nii.gz")) == "sub-01.ses-2_T1w"
    assert case_name(Path("a/sub-01.mha")) == "sub-01"
    assert case_name(Path("a/series.7")) == "series.7"


def test_a_folder_means_its_visible_images_in_order(tmp_path):
    for name in ("b.nii.gz", "a.mha", ".hidden.nii.gz", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.mha", "b.nii.gz"]
    assert list_images(tmp_path / "a.mha") == [tmp_path / "a.mha"]


def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path):
    (tmp_path / "gone.nii.gz").symlink_to(tmp_path / "elsewhere.nii.gz")
    assert list_images(tmp_path) == [tmp_path / "gone.nii.gz"]
    with pytest.raises(UdeansrError, match=r"gone.nii.gz: no such file; expected"):
        read_volume(tmp_path / "gone.nii.gz")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing: no such file or folder; expected .nii.gz, .nii, .nrrd, .mha or a folder with one DICOM"),
        ("empty", "empty: no image in this folder; expected .nii.gz"),
        ("notes.txt", "notes.txt: not a format that we read; expected .nii.gz"),
        ("nodes.txt", r"nodes.txt: no such file or folder \(did you mean notes.txt\?\); expected"),
        ("study", "study: no image in this folder; it is a BIDS dataset, which udeansr_predict takes with --bids"),
        ("series/1.dcm", "1.dcm: one file of a DICOM series; give its folder: .*series$"),
    ],
)
def test_paths_without_images_are_refused(tmp_path, name, message):
    for folder in ("empty", "study/sub-01", "series"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "series" / "1.dcm").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(UdeansrError, match=message):
        list_images(tmp_path / name)


@pytest.mark.parametrize("read", [read_volume, read_geometry])
@pytest.mark.parametrize("name", ["broken.nii.gz", "broken.nrrd", "broken.mha"])
def test_a_broken_file_is_refused(tmp_path, read, name):
    (tmp_path / name).write_bytes(b"this is no image at all, whatever its name says")
    with pytest.raises(
        UdeansrError, match=rf"{name}: cannot be read \(.+\); replace the file or take it out"
    ) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_volume, read_geometry])
def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path, read):
    with pytest.raises(UdeansrError, match=r"a.nii: no such file; expected"):
        read(tmp_path / "a.nii")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UdeansrError, match=r"a.png: not a format that we read"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("read", [read_volume, read_geometry])
def test_only_one_3d_scalar_volume_is_taken(tmp_path, read):
    rng = np.random.default_rng(0)
    sitk.WriteImage(sitk.GetImageFromArray(rng.normal(size=(4, 5, 6, 3)), isVector=True), tmp_path / "colour.mha")
    with pytest.raises(UdeansrError, match=r"colour.mha: 3 values a voxel; expected one"):
        read(tmp_path / "colour.mha")
    sitk.WriteImage(sitk.GetImageFromArray(rng.normal(size=(5, 6))), tmp_path / "slice.mha")
    with pytest.raises(UdeansrError, match=r"slice.mha: a 2-D image; expected 3-D"):
        read(tmp_path / "slice.mha")
    nibabel.save(nibabel.Nifti1Image(rng.normal(size=(4, 5, 6, 2)), np.eye(4)), tmp_path / "series.nii.gz")
    with pytest.raises(UdeansrError, match=r"series.nii.gz: a 4-D image of 2 volumes; expected one"):
        read(tmp_path / "series.nii.gz")


def test_a_4d_file_with_one_volume_is_that_volume(tmp_path):
    voxels = np.random.default_rng(0).normal(size=(4, 5, 6, 1)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "one.nii.gz")
    assert np.array_equal(read_volume(tmp_path / "one.nii.gz").voxels, voxels[..., 0].T)


def write_nrrd(path: Path, directions: str) -> None:
    header = f"NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 2\n\
space directions: {directions}\nkinds: domain domain domain\nencoding: raw\nspace origin: (0,0,0)\n\n"
    path.write_bytes(header.encode() + bytes(range(8)))


def test_axes_off_right_angles_are_refused_and_slightly_off_mended(tmp_path, caplog):
    write_nrrd(tmp_path / "skew.nrrd", "(1,0.3,0) (0,1,0) (0,0,1)")
    with pytest.raises(UdeansrError, match=r"skew.nrrd: its axes are 0.\d+ off right angles; expected an orthonormal"):
        read_volume(tmp_path / "skew.nrrd")
    skew = np.diag([1.0, 1, 1, 1])
    skew[0, 1] = 0.3
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), np.int16), skew), tmp_path / "skew.nii")
    with pytest.raises(UdeansrError, match=r"skew.nii: its axes are .+; expected an orthonormal direction; resample"):
        read_volume(tmp_path / "skew.nii")
    write_nrrd(tmp_path / "nearly.nrrd", "(1,0.0004,0) (0,1,0) (0,0,1)")
    with caplog.at_level(logging.WARNING):
        axes = np.asarray(read_volume(tmp_path / "nearly.nrrd").geometry.axes)
    assert "nearly.nrrd: its axes were" in caplog.text
    assert np.allclose(axes @ axes.T, np.eye(3), atol=1e-12)


def test_writing_where_one_cannot_leaves_nothing(tmp_path):
    volume = volume_on(GRIDS["LPS"])
    with pytest.raises(UdeansrError, match=r"a.png: not a format that we write; expected one of .nii.gz"):
        write_volume(volume, tmp_path / "a.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(UdeansrError, match=r"a.nii.gz: cannot be written \(.+\); check the folder and the disk"):
        write_volume(volume, tmp_path / "file" / "a.nii.gz")
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_volume(volume_on(GRIDS["LPS"]), tmp_path / "a.nii.gz")

    def interrupted(_volume, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_nifti", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_volume(volume_on(GRIDS["oblique"], np.float32), tmp_path / "a.nii.gz")
    assert [child.name for child in tmp_path.iterdir()] == ["a.nii.gz"]
    assert read_volume(tmp_path / "a.nii.gz").voxels.dtype == np.int16


def write_dicom(folder: Path, series: int, slices: int = 4) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    voxels = np.random.default_rng(series).integers(0, 4000, size=(slices, 5, 6)).astype(np.uint16)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, plane in enumerate(voxels):
        image = sitk.GetImageFromArray(plane[None])
        image.SetSpacing((0.8, 0.9, 3.0))
        values = {
            "0008|0060": "MR",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.1",
            "0020|000e": f"1.2.826.0.1.3680043.2.1125.1.{series}",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.1.{series}.{number}",
            "0020|0032": f"-10\\-20\\{3 * number}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(number),
        }
        for key, value in values.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{series}-{number}.dcm"))
        writer.Execute(image)
    return voxels


def test_a_dicom_series_is_a_folder(tmp_path):
    voxels = write_dicom(tmp_path / "T1", series=1)
    assert list_images(tmp_path) == [tmp_path / "T1"]
    assert list_images(tmp_path / "T1") == [tmp_path / "T1"]
    volume = read_volume(tmp_path / "T1")
    assert np.array_equal(volume.voxels, voxels)
    assert volume.geometry.spacing_mm == (3.0, 0.9, 0.8)
    assert np.allclose(volume.geometry.origin_mm, (-10, -20, 0))
    assert read_geometry(tmp_path / "T1") == volume.geometry


def test_a_series_is_found_beside_other_files_and_not_beside_images(tmp_path):
    write_dicom(tmp_path / "T1", series=1)
    (tmp_path / "T1" / "0_read_me.txt").write_text("exported on Monday")
    assert list_images(tmp_path) == [tmp_path / "T1"]
    assert read_volume(tmp_path / "T1").voxels.shape == (4, 5, 6)
    (tmp_path / "T1" / "T1.nii.gz").touch()
    assert list_images(tmp_path / "T1") == [tmp_path / "T1" / "T1.nii.gz"]


def test_a_series_that_lacks_a_slice_is_refused(tmp_path):
    write_dicom(tmp_path / "T1", series=1, slices=6)
    (tmp_path / "T1" / "1-2.dcm").unlink()
    with pytest.raises(
        UdeansrError, match=r"T1: its slices lie 3 to 6 mm apart; expected one distance; a slice may be"
    ):
        read_volume(tmp_path / "T1")


def test_folders_that_hold_no_series_or_several_are_refused(tmp_path):
    write_dicom(tmp_path / "both", series=1)
    write_dicom(tmp_path / "both", series=2)
    with pytest.raises(UdeansrError, match=r"both: 2 DICOM series; expected one; give one of @series, @series_2"):
        read_volume(tmp_path / "both")
    (tmp_path / "none").mkdir()
    with pytest.raises(UdeansrError, match=r"none: a folder without a DICOM series; expected"):
        read_volume(tmp_path / "none")


def test_a_spacing_that_is_no_length_is_refused(tmp_path):
    write_nrrd(tmp_path / "flat.nrrd", "(0,0,0) (0,1,0) (0,0,1)")
    with pytest.raises(UdeansrError, match=r"flat.nrrd: "):
        read_volume(tmp_path / "flat.nrrd")
