import logging
import os

import numpy as np
import pydicom
import pytest

from udeansr.image.dicom_header import MR_CLASSES, read_header, values


def test_a_classic_file_is_one_slice(tmp_path, scan, write_scan):
    write_scan(tmp_path, scan, slopes=0.5)
    path = next(path for path in tmp_path.iterdir() if pydicom.dcmread(path).InstanceNumber == 4)
    header = read_header(path)
    assert header is not None
    assert (header.number, header.description, header.modality) == (3, "T1 MPRAGE/sag", "MR")
    assert header.words == "T1 MPRAGE/sag t1_mprage"
    assert header.storage_class in MR_CLASSES
    (one,) = header.slices
    assert (one.frame, one.shape, one.spacing_mm, one.slope, one.intercept) == (None, (30, 24), (0.9, 1.1), 0.5, 0.0)
    assert np.allclose(one.position_mm, scan.geometry.world_mm((3, 0, 0)))
    assert np.allclose((one.along_y, one.along_x), scan.geometry.axes[1:])
    assert one.kind == ("3.5", "ORIGINAL", "PRIMARY", "M", "ND")


def test_frames_are_slices_with_what_is_shared_and_their_own(tmp_path, scan, write_multiframe):
    slopes = np.linspace(0.5, 2, 12).round(3).tolist()
    write_multiframe(tmp_path / "a", scan, slopes)
    header = read_header(tmp_path / "a")
    assert header is not None
    assert [each.frame for each in header.slices] == list(range(12))
    assert {each.spacing_mm for each in header.slices} == {(0.9, 1.1)}
    assert sorted(each.slope for each in header.slices) == slopes
    assert {each.kind for each in header.slices} == {("3.5",)}
    for each in header.slices:
        number = slopes.index(each.slope)
        assert np.allclose(each.position_mm, scan.geometry.world_mm((number, 0, 0)))


def test_what_is_missing_is_none(tmp_path, scan, write_scan):
    left_out = ("SeriesNumber", "SeriesDescription", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    write_scan(tmp_path, scan, **dict.fromkeys((*left_out, "RescaleSlope", "RescaleIntercept")))
    header = read_header(next(tmp_path.iterdir()))
    assert header is not None
    assert (header.number, header.description) == (None, "")
    (one,) = header.slices
    assert one.position_mm is one.along_x is one.along_y is one.spacing_mm is None
    assert (one.slope, one.intercept) == (1.0, 0.0)


def test_what_holds_no_image_is_none_and_what_is_broken_is_warned_of(tmp_path, scan, write_scan, caplog):
    write_scan(tmp_path / "T1", scan)
    path = next((tmp_path / "T1").iterdir())
    report = pydicom.dcmread(path)
    del report.Rows, report.Columns, report.PixelData
    report.save_as(tmp_path / "report")
    assert read_header(tmp_path / "report") is None
    assert not caplog.messages
    broken = pydicom.dcmread(path)
    broken.PixelSpacing = 1
    broken.save_as(tmp_path / "broken")
    with caplog.at_level(logging.WARNING):
        assert read_header(tmp_path / "broken") is None
    assert "broken: cannot be read as DICOM" in caplog.text


def test_values_of_an_element():
    item = pydicom.Dataset()
    item.ImageType = ["A", "B"]
    item.EchoTime = 3
    item.Modality = "MR"
    item.SeriesNumber = None
    found = [values(item, keyword) for keyword in ("ImageType", "EchoTime", "Modality", "SeriesNumber", "StudyID")]
    assert found == [["A", "B"], [3], ["MR"], [], []]


@pytest.mark.parametrize("spoil", ["cut", "name", "samples"])
def test_a_file_of_too_few_voxels_or_an_unspeakable_name_is_left_out(tmp_path, scan, write_scan, caplog, spoil):
    write_scan(tmp_path / "a", scan)
    path = sorted((tmp_path / "a").iterdir())[0]
    assert read_header(path) is not None
    if spoil == "name":
        path = path.rename(path.with_name(os.fsdecode(b"\xff.dcm")))
    elif spoil == "samples":
        changed = pydicom.dcmread(path)
        changed.SamplesPerPixel = 3
        changed.save_as(path)
    else:
        os.truncate(path, path.stat().st_size - 2)
    assert read_header(path) is None
    assert "left out" in caplog.text and ("no UTF-8" in caplog.text) == (spoil == "name")
