import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom import config

import udeansr
from udeansr.errors import UdeansrError
from udeansr.image.dicom_series import Derivation, rescale_for, write_series
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import Scale, same_grid, sr_geometry
from udeansr.image.volume import Volume

TWICE = Scale(2, 2, 2)
HOW = Derivation("Super-resolved x2x2x2 by tricubic")


def super_resolved(lr: Volume, scale: Scale = TWICE) -> Volume:
    voxels = lr.voxels
    for axis, factor in enumerate(scale.zyx):
        voxels = voxels.repeat(factor, axis)
    voxels = voxels + np.arange(voxels.size).reshape(voxels.shape).astype(voxels.dtype) % 7
    return Volume(voxels, sr_geometry(lr.geometry, scale))


def slices_of(folder: Path) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def digest(folder: Path) -> str:
    return hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    ).hexdigest()


@pytest.mark.parametrize("slopes", ["one", "per slice", "frames"])
@pytest.mark.parametrize("scale", [Scale(2, 2, 2), Scale(1, 2, 2), Scale(3, 1, 2)])
def test_three_readers_see_the_geometry_and_values_of_the_nifti(
    tmp_path, scan, write_scan, write_multiframe, slopes, scale
):
    """A mixed folder in; pydicom, SimpleITK and dcm2niix agree with our own NIfTI to 1e-3 mm."""
    values = [1.0] * 12 if slopes == "one" else np.linspace(0.31, 1.7, 12).round(4).tolist()
    if slopes == "frames":
        write_multiframe(tmp_path / "in" / "IM1", scan, values)
    else:
        write_scan(tmp_path / "in", scan, slopes=values)
    write_scan(tmp_path / "in", scan, prefix="T2", SeriesNumber=5, SeriesDescription="T2")
    source = list_images(tmp_path / "in")[0]
    assert source.name == "@3_T1_MPRAGE_sag"
    before = digest(tmp_path / "in")
    lr = read_volume(source)
    assert lr.voxels.dtype == (np.uint16 if slopes == "one" else np.float32)
    sr = super_resolved(lr, scale)
    write_series(sr, source, tmp_path / "sr", HOW)
    write_volume(sr, tmp_path / "sr.nii.gz")
    assert digest(tmp_path / "in") == before
    bound = 0 if slopes == "one" else 1.001 * np.ptp(sr.voxels) / 131070 + 1e-4

    ours = read_volume(tmp_path / "sr")
    assert same_grid(ours.geometry, sr.geometry, tolerance_mm=1e-4)
    assert np.abs(ours.voxels.astype(float) - sr.voxels).max() <= bound

    for number, one in enumerate(slices_of(tmp_path / "sr")):
        assert np.allclose(one.ImagePositionPatient, sr.geometry.world_mm((number, 0, 0)), atol=1e-4)
        last = np.asarray(one.ImagePositionPatient) + np.asarray(one.ImageOrientationPatient).reshape(2, 3).T @ [
            one.PixelSpacing[1] * (one.Columns - 1),
            one.PixelSpacing[0] * (one.Rows - 1),
        ]
        assert np.allclose(last, sr.geometry.world_mm((number, one.Rows - 1, one.Columns - 1)), atol=1e-3)
        plane = one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept)
        assert np.abs(plane - sr.voxels[number]).max() <= bound

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "sr")))
    image, nifti = reader.Execute(), sitk.ReadImage(str(tmp_path / "sr.nii.gz"))
    assert image.GetSize() == nifti.GetSize()
    for corner in [(0, 0, 0), tuple(n - 1 for n in image.GetSize())]:
        places = [each.TransformIndexToPhysicalPoint(corner) for each in (image, nifti)]
        assert np.allclose(*places, atol=1e-3)
    assert np.abs(sitk.GetArrayFromImage(image).astype(float) - sr.voxels).max() <= bound

    (tmp_path / "converted").mkdir()
    command = [Path(sys.executable).parent / "dcm2niix", "-f", "sr", "-z", "n", "-o", tmp_path / "converted"]
    told = subprocess.run([*map(str, command), str(tmp_path / "sr")], check=True, capture_output=True, text=True).stdout
    assert [path.name for path in (tmp_path / "converted").glob("*.nii")] == ["sr.nii"], told
    theirs, own = (nibabel.load(path) for path in (tmp_path / "converted" / "sr.nii", tmp_path / "sr.nii.gz"))
    # dcm2niix may turn axes about: both are brought to one orientation, in which nothing is interpolated.
    theirs, own = (nibabel.as_closest_canonical(each) for each in (theirs, own))
    assert theirs.shape == own.shape
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]).T * [
        [n - 1] for n in (*own.shape, 2)
    ]
    assert np.abs((theirs.affine - own.affine) @ corners).max() < 1e-3
    assert np.abs(theirs.get_fdata() - own.get_fdata()).max() <= bound + 1e-3 * (slopes != "one")
    assert json.loads((tmp_path / "converted" / "sr.json").read_text())["SeriesDescription"] == "T1 MPRAGE/sag SR"


def test_what_is_true_of_sr_is_kept_and_what_is_not_is_gone(tmp_path, scan, write_scan):
    contrast = {"ContrastBolusAgent": "Gd", "PatientIdentityRemoved": "YES", "LossyImageCompression": "01"}
    write_scan(tmp_path / "in", scan, TriggerTime=None, InversionTime=900, **contrast)
    source = slices_of(tmp_path / "in")
    write_series(super_resolved(scan), tmp_path / "in", tmp_path / "sr", HOW)
    made = slices_of(tmp_path / "sr")
    assert len(made) == 24
    for one in made:
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID", "EchoTime"):
            assert one[keyword].value == source[0][keyword].value
        assert {keyword: one[keyword].value for keyword in contrast} == contrast
        assert (one.InversionTime, one.ProtocolName) == (900, "t1_mprage")
        assert one.SeriesDescription == "T1 MPRAGE/sag SR"
        assert one.SeriesNumber == 1003
        assert list(one.ImageType) == ["DERIVED", "SECONDARY", "M", "ND"]
        assert one.DerivationDescription == HOW.text
        assert (one.Manufacturer, one.DeviceSerialNumber) == ("ACME", "4711")
        assert list(one.SoftwareVersions) == ["syngo", f"udeansr {udeansr.__version__}"]
        processor = one.ContributingEquipmentSequence[0]
        assert (processor.Manufacturer, processor.SoftwareVersions) == ("udeansr", udeansr.__version__)
        assert (one.BitsStored, one.PixelRepresentation, one.RescaleSlope, one.RescaleIntercept) == (16, 0, 1, 0)
        assert (one.SliceThickness, one.SpacingBetweenSlices) == (1.0, 1.25)
        assert one.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert "AcquisitionMatrix" not in one
        assert not [element for element in one.iterall() if element.tag.is_private]
    series = {one.SeriesInstanceUID for one in made}
    instances = {one.SOPInstanceUID for one in made}
    assert len(series) == 1
    assert len(instances) == 24
    assert not series & {one.SeriesInstanceUID for one in source}
    assert not instances & {one.SOPInstanceUID for one in source}
    assert [one.InstanceNumber for one in made] == list(range(1, 25))
    assert np.allclose(np.diff([float(one.SliceLocation) for one in made]), 1.25)


def test_each_slice_names_the_source_slice_in_which_it_lies(tmp_path, scan, write_scan):
    write_scan(tmp_path / "in", scan)
    source = {one.InstanceNumber: one for one in slices_of(tmp_path / "in")}
    write_series(super_resolved(scan), tmp_path / "in", tmp_path / "sr", HOW)
    for number, one in enumerate(slices_of(tmp_path / "sr")):
        parent = source[number // 2 + 1]
        assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == parent.SOPInstanceUID
        (series,) = one.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == parent.SeriesInstanceUID
        assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == parent.SOPInstanceUID


def test_frames_are_named_by_number(tmp_path, scan, write_multiframe):
    write_multiframe(tmp_path / "in" / "IM1", scan, [1.0] * 12)
    source = slices_of(tmp_path / "in")[0]
    write_series(super_resolved(scan), tmp_path / "in", tmp_path / "sr", HOW)
    for number, one in enumerate(slices_of(tmp_path / "sr")):
        frame = one.SourceImageSequence[0].ReferencedFrameNumber
        place = source.PerFrameFunctionalGroupsSequence[frame - 1].PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(np.asarray(place, float), scan.geometry.world_mm((number // 2, 0, 0)))
        assert one.EchoTime == 3.5
        assert "NumberOfFrames" not in one


def test_the_window_is_kept_where_the_source_has_one_and_else_made(tmp_path, scan, write_scan):
    write_scan(tmp_path / "one", scan, WindowCenter=300, WindowWidth=700)
    write_scan(tmp_path / "several", scan)
    for name in ("one", "several"):
        write_series(super_resolved(scan), tmp_path / name, tmp_path / f"{name}_sr", HOW)
    one, made = slices_of(tmp_path / "one_sr")[0], slices_of(tmp_path / "several_sr")
    assert (one.WindowCenter, one.WindowWidth) == (300, 700)
    assert len({(each.WindowCenter, each.WindowWidth) for each in made}) == 1
    low = made[0].WindowCenter - made[0].WindowWidth / 2
    assert scan.voxels.min() <= low < np.median(scan.voxels) < low + made[0].WindowWidth <= scan.voxels.max() + 7


def test_every_call_makes_another_series_and_replaces_the_last(tmp_path, scan, write_scan):
    write_scan(tmp_path / "in", scan)
    uids = []
    for _ in range(2):
        write_series(super_resolved(scan), tmp_path / "in", tmp_path / "sr", HOW)
        uids.append({one.SOPInstanceUID for one in slices_of(tmp_path / "sr")})
    assert not uids[0] & uids[1]
    write_series(scan, tmp_path / "in", tmp_path / "sr", Derivation("spread", "SR uncertainty", 2000))
    assert len(slices_of(tmp_path / "sr")) == 12
    assert slices_of(tmp_path / "sr")[0].SeriesNumber == 2003
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "sr"]


@pytest.mark.parametrize("description", ["x" * 64, None])
def test_a_source_that_says_little_is_enough(tmp_path, scan, write_scan, monkeypatch, description):
    """What de-identification takes out is not needed, and the result passes pydicom's strict checks."""
    gone = "PatientName PatientID StudyInstanceUID StudyDate StudyDescription FrameOfReferenceUID SeriesNumber"
    gone += " ProtocolName Manufacturer DeviceSerialNumber SoftwareVersions ImageType SliceThickness WindowCenter"
    gone += " RepetitionTime EchoTime RescaleSlope RescaleIntercept InstanceNumber SliceLocation"
    write_scan(tmp_path / "in", scan, SeriesDescription=description, **dict.fromkeys(gone.split()))
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.RAISE)
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.RAISE)
    write_series(super_resolved(scan), tmp_path / "in", tmp_path / "sr", HOW)
    made = slices_of(tmp_path / "sr")
    assert [len({one[keyword].value for one in made}) for keyword in ("StudyInstanceUID", "FrameOfReferenceUID")] == [
        1,
        1,
    ]
    assert made[0].SeriesDescription == ("SR" if description is None else "x" * 61 + " SR")
    assert (made[0].PatientName, made[0].PatientID, made[0].EchoTime) == ("", "", None)
    assert (made[0].ScanningSequence, made[0].SequenceVariant) == ("RM", "NONE")
    assert (made[0].SeriesNumber, made[0].SliceThickness) == (1000, 1.25)
    for one in made:
        one.walk(lambda dataset, element: dataset[element.tag].value)
        one.pixel_array.max()


@pytest.mark.parametrize(
    ("voxels", "bound"),
    [
        (np.array([0, 65535], np.uint16), 0),
        (np.array([-300, 65000], np.int32), 0),
        (np.array([-5, 900000], np.int32), 900005 / 131070),
        (np.array([0.0, 0.001], np.float32), 0.001 / 131070),
        (np.array([-2.5, 3e7], np.float64), 3e7 / 131000),
        (np.zeros(2, np.float32), 0),
    ],
)
def test_rounding_is_none_for_integers_and_negligible_for_the_rest(voxels, bound):
    rescale = rescale_for(voxels)
    stored = np.rint((voxels - rescale.intercept) / rescale.slope)
    assert stored.min() >= 0
    assert stored.max() <= 65535
    between = np.linspace(voxels.min(), voxels.max(), 1001) if bound else voxels
    back = rescale.slope * np.rint((between - rescale.intercept) / rescale.slope) + rescale.intercept
    assert np.abs(back - between).max() <= 1.001 * bound
    assert pydicom.valuerep.DSfloat(rescale.slope, auto_format=True) == rescale.slope


def test_what_cannot_be_derived_from_is_refused(tmp_path, scan, write_scan):
    write_volume(scan, tmp_path / "a.nii.gz")
    with pytest.raises(
        UdeansrError, match=r"a.nii.gz: no DICOM; expected a DICOM series to derive one from; leave out"
    ):
        write_series(scan, tmp_path / "a.nii.gz", tmp_path / "sr", HOW)
    write_scan(tmp_path / "ct", scan, Modality="CT", storage=pydicom.uid.CTImageStorage)
    with pytest.raises(
        UdeansrError, match=r"ct: a series of CT, storage class '1.2.840.10008.5.1.4.1.1.2'; expected an"
    ):
        write_series(scan, tmp_path / "ct", tmp_path / "sr", HOW)
    assert not (tmp_path / "sr").exists()


def test_nothing_of_others_is_replaced_and_nothing_half_is_left(tmp_path, scan, write_scan, monkeypatch):
    write_scan(tmp_path / "in", scan)
    (tmp_path / "sr").mkdir()
    (tmp_path / "sr" / "notes.txt").write_text("mine")
    with pytest.raises(
        UdeansrError, match=r"sr: holds notes.txt, which is no slice that we wrote; choose another output"
    ):
        write_series(scan, tmp_path / "in", tmp_path / "sr", HOW)
    with pytest.raises(
        UdeansrError, match=r"in: holds IM\d+.dcm, which is no slice that we wrote; choose another output"
    ):
        write_series(scan, tmp_path / "in", tmp_path / "in", HOW)
    with pytest.raises(UdeansrError, match=r"sub: cannot be written \(.+\); check the folder and the disk"):
        write_series(scan, tmp_path / "in", tmp_path / "sr" / "notes.txt" / "sub", HOW)
    write_series(scan, tmp_path / "in", tmp_path / "out", HOW)
    before = digest(tmp_path / "out")

    def interrupted(*_arguments, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(pydicom.Dataset, "save_as", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_series(replace(scan, voxels=scan.voxels * 2), tmp_path / "in", tmp_path / "out", HOW)
    assert digest(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "sr"]
