import json

import numpy as np
import pytest

from udeansr.image.acquisition import acquisition_type, image_contrast, slice_thickness_mm
from udeansr.image.volume import Geometry, Volume


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("sub-01_ses-2_T1w.nii.gz", "T1w"),
        ("sub-01_t2w.nii", "T2w"),
        ("a_FLAIR.mha", "FLAIR"),
        ("a_PDw.nrrd", "PDw"),
        ("a_T2starw.nii.gz", "T2starw"),
        ("a_T1w_old.nii.gz", None),
        ("anna.nii.gz", None),
        ("T1w.nii.gz", "T1w"),
        ("MS017_T1.nii.gz", "T1w"),
        ("IXI002-Guys-0828-T2.nii.gz", "T2w"),
        ("anna_t10.nii.gz", None),
    ],
)
def test_a_name_tells_by_its_last_word(tmp_path, name, contrast):
    assert image_contrast(tmp_path / name) == contrast


@pytest.mark.parametrize(
    ("sidecar", "contrast"),
    [
        ({"BidsGuess": ["anat", "_acq-tfl3_run-3_T1w"]}, "T1w"),
        ({"BidsGuess": ["anat"], "SeriesDescription": "T2 TSE cor"}, "T2w"),
        ({"SeriesDescription": "t2_flair_tra"}, "FLAIR"),
        ({"ProtocolName": "MPRAGE sag"}, "T1w"),
        ({"SeriesDescription": "pd+t2 dual echo"}, None),
        ({"SeriesDescription": "localizer"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_sidecar_tells_where_the_name_does_not(tmp_path, sidecar, contrast):
    (tmp_path / "a.json").write_text(json.dumps(sidecar))
    assert image_contrast(tmp_path / "a.nii.gz") == contrast


def test_the_name_goes_before_the_sidecar_and_a_broken_one_tells_nothing(tmp_path):
    (tmp_path / "a_T1w.json").write_text('{"SeriesDescription": "T2"}')
    assert image_contrast(tmp_path / "a_T1w.nii.gz") == "T1w"
    for content in (b"{", b"\xff", b"[" * 100_000):
        (tmp_path / "b.json").write_bytes(content)
        assert image_contrast(tmp_path / "b.nii.gz") is None


@pytest.mark.parametrize(
    ("told", "thickness_mm"),
    [(4.5, 4.5), ("3", 3.0), (0, None), (-1, None), ("thick", None), ([3], None), (None, None)],
)
def test_a_sidecar_tells_the_slice_thickness_if_it_is_one(tmp_path, told, thickness_mm):
    (tmp_path / "a.json").write_text(json.dumps({"SliceThickness": told}))
    assert slice_thickness_mm(tmp_path / "a.nii.gz") == thickness_mm


@pytest.mark.parametrize(("told", "kind"), [("2D", "2D"), (" 3d ", "3D"), ("4D", None), (2, None), (None, None)])
def test_a_sidecar_tells_2d_or_3d(tmp_path, told, kind):
    (tmp_path / "a.json").write_text(json.dumps({"MRAcquisitionType": told}))
    assert acquisition_type(tmp_path / "a.nii.gz") == kind


def test_a_dicom_series_tells_2d_or_3d(tmp_path, write_scan):
    volume = Volume(np.full((4, 6, 5), 7, np.uint16), Geometry((4, 6, 5), (2.5, 1.0, 1.0)))
    write_scan(tmp_path / "two", volume, MRAcquisitionType="2D")
    write_scan(tmp_path / "silent", volume, MRAcquisitionType=None)
    assert [acquisition_type(tmp_path / name) for name in ("two", "silent")] == ["2D", None]


@pytest.mark.parametrize("told", ["1e400", "1e9", "true", "-3", '"NaN"', "[4]", '{"a": 4}', "1" + "0" * 400])
def test_a_thickness_that_is_none_is_not_known(tmp_path, told):
    (tmp_path / "a.json").write_text(f'{{"SliceThickness": {told}}}')
    assert slice_thickness_mm(tmp_path / "a.nii.gz") is None


def test_without_a_sidecar_nothing_is_known(tmp_path):
    assert slice_thickness_mm(tmp_path / "a.nii.gz") is None and acquisition_type(tmp_path / "a.nii.gz") is None


def test_a_dicom_series_tells_its_slice_thickness_classic_or_enhanced(tmp_path, write_scan, write_multiframe):
    volume = Volume(np.full((4, 6, 5), 7, np.uint16), Geometry((4, 6, 5), (2.5, 1.0, 1.0)))
    write_scan(tmp_path / "classic", volume)
    write_scan(tmp_path / "silent", volume, SliceThickness=None)
    write_multiframe(tmp_path / "enhanced" / "a.dcm", volume, [1.0] * 4)
    found = [slice_thickness_mm(tmp_path / name) for name in ("classic", "silent", "enhanced")]
    assert found == [2.0, None, 2.0]
