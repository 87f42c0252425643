import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.dicom import MINIMUM_SLICES, find_series, is_series, list_series, series_at
from udeansr.image.files import list_images, read_geometry, read_volume
from udeansr.image.names import case_name
from udeansr.image.volume import Volume


def first_slices(volume: Volume, count: int) -> Volume:
    shape = (count, *volume.geometry.shape[1:])
    return Volume(volume.voxels[:count], replace(volume.geometry, shape=shape))


@pytest.fixture
def mixed(tmp_path, scan, write_scan) -> Path:
    """An export as it comes from an archive: two volumes among what is none."""
    folder = tmp_path / "export"
    t2 = Volume(scan.voxels[:, ::-1].copy(), scan.geometry)
    write_scan(folder, scan, prefix="A", suffix="")
    write_scan(folder / "IMAGES" / "S5", t2, prefix="B", SeriesNumber=5, SeriesDescription="T2 tse", EchoTime=90)
    write_scan(folder, first_slices(scan, 5), prefix="C", SeriesNumber=1, SeriesDescription="AAHead_Scout")
    write_scan(folder, first_slices(scan, 2), prefix="D", SeriesNumber=6, SeriesDescription="map")
    write_scan(folder, scan, prefix="E", SeriesNumber=7, SeriesDescription="attenuation", Modality="CT")
    write_scan(folder, scan, prefix="F", SeriesNumber=8, ImageType=["DERIVED", "SECONDARY", "PROJECTION IMAGE"])
    capture = "1.2.840.10008.5.1.4.1.1.7"
    write_scan(folder, first_slices(scan, 3), prefix="G", SeriesNumber=9, storage=capture)
    write_scan(folder, scan, prefix="H", SeriesNumber=10, SamplesPerPixel=None, SeriesDescription="loc 3 plane")
    moving = write_scan(folder, scan, prefix="I", SeriesNumber=11, SeriesDescription="bold")
    write_scan(folder, scan, prefix="J", SeriesNumber=11, SeriesDescription="bold", uid=moving)
    report = pydicom.dcmread(folder / "A000")
    del report.Rows, report.Columns, report.PixelData
    report.Modality = "SR"
    report.save_as(folder / "DICOMDIR")
    (folder / "VIEWER.EXE").write_bytes(b"MZ")
    (folder / ".hidden").write_bytes((folder / "A000").read_bytes())
    return folder


def test_volumes_are_found_in_a_mixed_folder_and_the_rest_is_told(mixed, scan, caplog):
    with caplog.at_level(logging.INFO):
        images = list_images(mixed)
    assert images == [mixed / "@3_T1_MPRAGE_sag", mixed / "@5_T2_tse"]
    assert [case_name(path) for path in images] == ["3_T1_MPRAGE_sag", "5_T2_tse"]
    assert np.array_equal(read_volume(images[0]).voxels, scan.voxels)
    assert np.array_equal(read_volume(images[1]).voxels, scan.voxels[:, ::-1])
    assert read_geometry(images[1]) == read_volume(images[0]).geometry
    assert list_images(images[1]) == [images[1]]
    (line,) = [message for message in caplog.messages if "left out" in message]
    reasons = ("1_AAHead_Scout (a localizer)", "6_map (2 slices)", "7_attenuation (modality CT)", "(a projection)")
    reasons += ("9_T1_MPRAGE_sag (a screen capture)", "loc_3_plane (a localizer)", "bold (24 slices at 12 places)")
    assert "export: left out 7 series" in line
    assert not [reason for reason in reasons if reason not in line]
    assert "3_T1" not in line
    assert "\n" not in line


def test_a_series_says_what_it_is(mixed):
    series = {each.number: each for each in find_series(mixed)}
    assert [each.number for each in find_series(mixed)] == [1, 3, 5, 6, 7, 8, 9, 10, 11]
    assert series[5].words == "T2 tse t1_mprage"
    assert len(series[5].files) == 12
    heights = [np.asarray(each.position_mm) @ np.cross(each.along_x, each.along_y) for each in series[5].slices]
    assert np.allclose(np.diff(heights), 2.5)
    assert series_at(mixed / "@5_T2_tse") == series[5]


def test_planes_of_three_directions_are_no_volume(tmp_path, scan, write_scan):
    uid = write_scan(tmp_path, first_slices(scan, 3), prefix="A", SeriesDescription="planes", SeriesNumber=1)
    write_scan(
        tmp_path, first_slices(scan, 3), prefix="B", uid=uid, SeriesNumber=1, ImageOrientationPatient=[1, 0, 0, 0, 1, 0]
    )
    write_scan(tmp_path, scan, prefix="C")
    assert [each.left_out for each in find_series(tmp_path)] == ["slices that are not parallel", ""]
    assert list_images(tmp_path) == [tmp_path]


def test_the_only_series_is_taken_whatever_it_is(tmp_path, scan, write_scan):
    assert MINIMUM_SLICES > 2
    write_scan(tmp_path / "CT", first_slices(scan, 2), Modality="CT")
    assert list_images(tmp_path / "CT") == [tmp_path / "CT"]
    assert read_volume(tmp_path / "CT").voxels.shape == (2, 30, 24)


def test_sub_folders_of_one_series_are_images_by_their_names(tmp_path, scan, write_scan):
    write_scan(tmp_path / "anna" / "DICOM" / "ST1", scan)
    write_scan(tmp_path / "bert", scan)
    write_scan(tmp_path / "bert", first_slices(scan, 4), prefix="L", SeriesDescription="Localizer", SeriesNumber=1)
    (tmp_path / "notes").mkdir()
    assert list_series(tmp_path) == [tmp_path / "anna", tmp_path / "bert"]
    for path in list_images(tmp_path):
        assert np.array_equal(read_volume(path).voxels, scan.voxels)


def test_subjects_with_several_series_are_told_apart(tmp_path, scan, write_scan):
    for subject in ("anna", "bert"):
        for number in (3, 4):
            write_scan(tmp_path / subject, scan, prefix=f"S{number}", SeriesNumber=number, SeriesDescription="T1")
    expected = ["@anna_3_T1", "@anna_4_T1", "@bert_3_T1", "@bert_4_T1"]
    assert [path.name for path in list_images(tmp_path)] == expected
    assert [path.name for path in list_images(tmp_path / "anna")] == ["@3_T1", "@4_T1"]


def test_equal_names_are_made_unique_and_safe(tmp_path, scan, write_scan):
    for count in range(3):
        write_scan(tmp_path, scan, prefix=f"S{count}", SeriesDescription="../T1: Kopf\\")
    names = [path.name for path in list_images(tmp_path)]
    assert names == ["@3_T1_Kopf", "@3_T1_Kopf_2", "@3_T1_Kopf_3"]
    assert len({series_at(tmp_path / name).uid for name in names}) == 3


def test_two_echoes_of_one_series_are_two_images(tmp_path, scan, write_scan):
    uid = write_scan(tmp_path, scan, prefix="A", SeriesDescription="PD T2", EchoTime=12)
    late = Volume(scan.voxels // 2, scan.geometry)
    write_scan(tmp_path, late, prefix="B", SeriesDescription="PD T2", EchoTime=90, uid=uid)
    images = list_images(tmp_path)
    assert [path.name for path in images] == ["@3_PD_T2_1", "@3_PD_T2_2"]
    assert np.array_equal(read_volume(images[0]).voxels, scan.voxels)
    assert np.array_equal(read_volume(images[1]).voxels, scan.voxels // 2)


def test_a_series_spread_over_sub_folders_is_one_and_its_copy_another(tmp_path, scan, write_scan):
    write_scan(tmp_path / "all", scan)
    for number, path in enumerate(sorted((tmp_path / "all").iterdir())):
        part = tmp_path / "spread" / str(number // 5)
        part.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, part)
    assert [path.name for path in list_images(tmp_path / "spread")] == ["@3_T1_MPRAGE_sag"]
    assert np.array_equal(read_volume(tmp_path / "spread" / "@3_T1_MPRAGE_sag").voxels, scan.voxels)
    shutil.copytree(tmp_path / "all", tmp_path / "two" / "a")
    shutil.copytree(tmp_path / "all", tmp_path / "two" / "b")
    assert list_images(tmp_path / "two") == [tmp_path / "two" / "a", tmp_path / "two" / "b"]


def test_images_of_other_formats_go_before_dicom_beside_them(tmp_path, scan, write_scan):
    write_scan(tmp_path, scan)
    write_scan(tmp_path / "T1", scan)
    (tmp_path / "a.nii.gz").touch()
    assert list_images(tmp_path) == [tmp_path / "T1", tmp_path / "a.nii.gz"]


def test_links_in_a_circle_end(tmp_path, scan, write_scan):
    write_scan(tmp_path / "T1", scan)
    (tmp_path / "T1" / "again").symlink_to(tmp_path)
    assert np.array_equal(read_volume(tmp_path / "T1").voxels, scan.voxels)


def test_headers_are_read_anew_where_a_file_has_changed(tmp_path, scan, write_scan):
    write_scan(tmp_path / "T1", scan)
    assert series_at(tmp_path / "T1").number == 3
    write_scan(tmp_path / "T1", scan, SeriesNumber=12345)
    assert series_at(tmp_path / "T1").number == 12345


def test_a_name_that_is_no_series_is_refused(mixed):
    assert is_series(mixed)
    assert is_series(mixed / "@5_T2_tse")
    assert not is_series(mixed / "A000")
    assert not is_series(mixed / "@a.nii.gz")
    with pytest.raises(UdeansrError, match=r"@9: no such DICOM series; .*export holds @3_T1_MPRAGE_sag, @5_T2_tse"):
        series_at(mixed / "@9")
    with pytest.raises(UdeansrError, match=r"@9: no such DICOM series; .*gone holds none"):
        series_at(mixed / "gone" / "@9")
    with pytest.raises(
        UdeansrError, match=r"export: 2 DICOM series; expected one; give one of @3_T1_MPRAGE_sag, @5_T2"
    ):
        series_at(mixed)
    (mixed / "empty").mkdir()
    with pytest.raises(UdeansrError, match=r"empty: a folder without a DICOM series; expected"):
        series_at(mixed / "empty")
