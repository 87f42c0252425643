import logging
import warnings
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.datadict import tag_for_keyword
from pydicom.sequence import Sequence

from udeansr.errors import UdeansrError
from udeansr.image import dicom_volume
from udeansr.image.dicom_volume import REQUIRED_EMPTY, UNKNOWN, kept, read_series, read_series_geometry
from udeansr.image.files import list_images, read_geometry, read_volume
from udeansr.image.grid import same_grid


def change(folder, number, **values):
    """Change elements of the slice with an instance number."""
    for path in folder.iterdir():
        one = pydicom.dcmread(path)
        if one.InstanceNumber == number:
            for keyword, value in values.items():
                setattr(one, keyword, value)
            one.save_as(path)


@pytest.mark.parametrize(("suffix", "slope"), [(".dcm", 1), ("", 2)])
def test_voxels_and_places_are_those_that_were_written(tmp_path, scan, write_scan, suffix, slope):
    write_scan(tmp_path / "T1", scan, slopes=slope, suffix=suffix)
    found = read_series(tmp_path / "T1")
    assert found.voxels.dtype.kind == "u"
    assert np.array_equal(found.voxels, slope * scan.voxels.astype(np.int64))
    assert same_grid(found.geometry, scan.geometry, tolerance_mm=1e-5)
    assert read_series_geometry(tmp_path / "T1") == found.geometry
    assert read_geometry(tmp_path / "T1") == read_volume(tmp_path / "T1").geometry == found.geometry


def test_each_slice_has_its_own_slope(tmp_path, scan, write_scan):
    slopes = [1.0, 1.0, 2.0, *np.linspace(0.31, 1.7, len(scan.voxels) - 3).round(4).tolist()]
    write_scan(tmp_path / "T1", scan, slopes=slopes)
    found = read_series(tmp_path / "T1").voxels
    expected = scan.voxels * np.asarray(slopes)[:, None, None]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # Why we do not leave it to SimpleITK's reader of series: it takes the first slice's type for all.
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "T1"))
    assert np.abs(sitk.GetArrayFromImage(sitk.ReadImage(files)) - expected).max() > 0.4


def test_whole_slopes_that_differ_keep_integers(tmp_path, scan, write_scan):
    slopes = [1.0 + number % 3 for number in range(len(scan.voxels))]
    write_scan(tmp_path / "T1", scan, slopes=slopes, RescaleIntercept=-100)
    found = read_series(tmp_path / "T1").voxels
    assert found.dtype.kind == "i"
    assert np.array_equal(found, scan.voxels * np.asarray(slopes, dtype=int)[:, None, None] - 100)


@pytest.mark.parametrize("whole", [True, False])
def test_frames_of_one_file_are_put_in_order(tmp_path, scan, write_multiframe, whole):
    slopes = [1.0] * 12 if whole else np.linspace(0.5, 2, 12).round(3).tolist()
    write_multiframe(tmp_path / "T1" / "IM1", scan, slopes)
    assert list_images(tmp_path / "T1") == [tmp_path / "T1"]
    found = read_series(tmp_path / "T1")
    assert found.voxels.dtype == (np.uint16 if whole else np.float32)
    np.testing.assert_allclose(found.voxels, scan.voxels * np.asarray(slopes)[:, None, None], rtol=1e-6)
    assert same_grid(found.geometry, scan.geometry, tolerance_mm=1e-5)


def test_frames_that_cannot_be_decoded_are_refused(tmp_path, scan, write_multiframe):
    write_multiframe(tmp_path / "T1" / "IM1", scan, [1.0] * 12)
    one = pydicom.dcmread(tmp_path / "T1" / "IM1")
    one.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    one.PixelData = pydicom.encaps.encapsulate([b"none"] * 12)
    one["PixelData"].VR = "OB"
    one.save_as(tmp_path / "T1" / "IM1")
    with pytest.raises(UdeansrError, match=r"T1: its frames cannot be decoded \(.+\); export the series uncompressed"):
        read_series(tmp_path / "T1")


def test_files_of_several_frames_are_not_joined(tmp_path, scan, write_multiframe):
    for name in ("a", "b"):
        write_multiframe(tmp_path / "T1" / name, scan, [1.0] * 12)
    paths = sorted((tmp_path / "T1").iterdir())
    one = pydicom.dcmread(paths[1])
    one.SeriesInstanceUID = pydicom.dcmread(paths[0]).SeriesInstanceUID
    for frame in one.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0]
        step = 12 * 2.5 * np.asarray(scan.geometry.axes[0])
        position.ImagePositionPatient = [
            round(float(a + b), 6) for a, b in zip(position.ImagePositionPatient, step, strict=True)
        ]
    one.save_as(paths[1])
    with pytest.raises(UdeansrError, match=r"T1: 2 multi-frame files in one series; expected one"):
        read_series(tmp_path / "T1")


FAULTS = {
    "missing": (None, r"T1: its slices lie 2.5 to 5 mm apart; expected one distance; a slice may be missing or given"),
    "twice": ("twice", r"T1: its slices lie 0 to 2.5 mm apart; expected one distance; a slice may be missing or given"),
    "size": ({"PixelSpacing": [1, 1]}, r"T1: its slices have several sizes or spacings; expected one"),
    "flat": ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, r"T1: its slices are not parallel; expected one stack"),
    "place": ({"ImagePositionPatient": None}, r"T1: 1 of 12 slices do not say where they lie; expected Image Position"),
    "turn": ({"ImageOrientationPatient": None}, r"T1: 1 of 12 slices do not say where they lie; expected Image Orient"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stack_that_is_none_is_refused(tmp_path, scan, write_scan, fault):
    folder = tmp_path / "T1"
    write_scan(folder, scan)
    values, message = FAULTS[fault]
    if isinstance(values, dict):
        change(folder, 5, **values)
    else:
        file = next(path for path in sorted(folder.iterdir()) if pydicom.dcmread(path).InstanceNumber == 5)
        if values:
            (folder / "copy").write_bytes(file.read_bytes())
        else:
            file.unlink()
    with pytest.raises(UdeansrError, match=message):
        read_series(folder)


def test_a_pixel_spacing_is_needed(tmp_path, scan, write_scan):
    write_scan(tmp_path / "T1", scan, PixelSpacing=None)
    with pytest.raises(UdeansrError, match=r"T1: its pixel spacing is None; expected two lengths"):
        read_series(tmp_path / "T1")


def test_one_slice_is_no_volume(tmp_path, scan, write_scan):
    write_scan(
        tmp_path / "T1", replace(scan, voxels=scan.voxels[:1], geometry=replace(scan.geometry, shape=(1, 30, 24)))
    )
    with pytest.raises(UdeansrError, match=r"T1: a series of 1 slice; expected 3-D; give whole volumes"):
        read_series(tmp_path / "T1")


def test_colour_is_refused(tmp_path, scan, write_scan):
    write_scan(tmp_path / "T1", scan)
    for path in (tmp_path / "T1").iterdir():
        one = pydicom.dcmread(path)
        one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "RGB", 0
        one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7
        one.PixelData = bytes(30 * 24 * 3)
        del one.RescaleSlope, one.RescaleIntercept
        one.save_as(path)
    with pytest.raises(UdeansrError, match=r"T1: slices of \(30, 24, 3\) values; expected \(30, 24\), one a voxel"):
        read_series(tmp_path / "T1")


@pytest.mark.parametrize(("tangent", "told"), [(0.2, None), (5e-4, "sheared by 0.0005")])
def test_a_tilted_gantry_is_refused_and_a_rounding_error_told(tmp_path, scan, write_scan, caplog, tangent, told):
    write_scan(tmp_path / "T1", scan)
    aside = np.asarray(scan.geometry.axes[1])
    for number in range(12):
        place = scan.geometry.world_mm((number, 0, 0)) + tangent * 2.5 * number * aside
        change(tmp_path / "T1", number + 1, ImagePositionPatient=[round(float(mm), 9) for mm in place])
    if told is None:
        with pytest.raises(UdeansrError, match=r"T1: its slices are sheared by 0.2, as of a tilted gantry; expected a"):
            read_series(tmp_path / "T1")
        return
    with caplog.at_level(logging.WARNING):
        read_series(tmp_path / "T1")
    assert told in caplog.text


def test_axes_off_right_angles_are_refused(tmp_path, scan, write_scan):
    write_scan(tmp_path / "T1", scan, ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0])
    with pytest.raises(UdeansrError, match=r"T1: its axes are 0.1 off right angles; expected a straight grid"):
        read_series(tmp_path / "T1")


@pytest.fixture
def sources() -> list[pydicom.Dataset]:
    made = []
    for number in range(3):
        one = pydicom.Dataset()
        one.PatientName, one.PatientWeight, one.EchoTime = "Doe", 70, 3
        one.AcquisitionTime, one.AcquisitionDate = f"12000{number}", "20240131"
        one.ImageComments, one.InstanceNumber = "as acquired", number
        one.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "x")
        made.append(one)
    return made


def test_every_keyword_is_one_of_the_standard():
    lists = ("STUDY", "EQUIPMENT", "ACQUISITION", "PRESENTATION", "REQUIRED_EMPTY")
    keywords = [keyword for name in lists for keyword in getattr(dicom_volume, name).split()]
    assert not [keyword for keyword in keywords if tag_for_keyword(keyword) is None]


def test_listed_elements_of_one_value_are_taken_over_and_no_others(sources):
    found = kept(sources)
    assert (found.PatientName, found.PatientWeight, found.EchoTime) == ("Doe", 70, 3)
    assert found.AcquisitionDate == "20240131"
    for keyword in ("AcquisitionTime", "ImageComments", "InstanceNumber"):
        assert keyword not in found
    assert not [element for element in found.iterall() if element.tag.is_private]


def test_what_only_some_files_say_is_not_taken_over(sources):
    del sources[2].EchoTime
    assert kept(sources).EchoTime is None


def test_private_elements_within_sequences_are_taken_out(sources):
    for one in sources:
        item = pydicom.Dataset()
        item.ScheduledProcedureStepID = "7"
        item.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "x")
        one.RequestAttributesSequence = Sequence([item])
    found = kept(sources)
    assert [element.keyword for element in found.RequestAttributesSequence[0]] == ["ScheduledProcedureStepID"]
    assert len(sources[0].RequestAttributesSequence[0]) == 3, "the source was changed"


def test_what_the_standard_requires_is_there(sources):
    found = kept(sources)
    assert not [keyword for keyword in (*REQUIRED_EMPTY.split(), *UNKNOWN) if keyword not in found]


def test_a_slice_that_lies_nowhere_is_told(tmp_path, scan, write_scan):
    write_scan(tmp_path / "a", scan)
    path = sorted((tmp_path / "a").iterdir())[5]
    header = pydicom.dcmread(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says what is wrong with it
        header.ImagePositionPatient = ["0", "nan", "0"]
        header.save_as(path)
    with pytest.raises(UdeansrError, match="1 of 12 slices do not say where they lie"):
        read_series(tmp_path / "a")
