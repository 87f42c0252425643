import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from udeansr.errors import UdeansrError
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import Scale, same_grid
from udeansr.image.volume import Volume
from udeansr.prediction.models import interpolator
from udeansr.prediction.output import plan_outputs
from udeansr.prediction.sidecar import Provenance


def write_series_of(folder: Path, lr: Volume, number: int) -> None:
    folder.mkdir(exist_ok=True)
    series, grid = generate_uid(), lr.geometry
    for place, plane in enumerate(lr.voxels):
        one = Dataset()
        one.SOPClassUID, one.SOPInstanceUID, one.SeriesInstanceUID = MRImageStorage, generate_uid(), series
        one.Modality, one.SeriesNumber, one.SeriesDescription = "MR", number, "T1"
        one.ImagePositionPatient = [float(mm) for mm in grid.world_mm((place, 0, 0))]
        one.ImageOrientationPatient, one.PixelSpacing = [1, 0, 0, 0, 1, 0], list(grid.spacing_mm[1:])
        one.Rows, one.Columns = plane.shape
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.PixelData = plane.astype("<u2").tobytes()
        one["PixelData"].VR = "OW"
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.save_as(folder / f"{number}-{place}", enforce_file_format=True)


def test_files_keep_name_and_suffix_and_the_rest_goes_under_it(tmp_path, lr):
    for name in ("a.nii.gz", "b.mha"):
        write_volume(lr, tmp_path / "lr" / name)
    one, two = plan_outputs(tmp_path / "lr", tmp_path / "sr").values()
    assert (one.sr, two.sr) == (tmp_path / "sr/a.nii.gz", tmp_path / "sr/b.mha")
    assert (two.uncertainty, two.labels) == (tmp_path / "sr/uncertainty/b.mha", tmp_path / "sr/labels/b.mha")
    assert two.sidecar == tmp_path / "sr/b.json"
    assert not (tmp_path / "sr").exists()
    sr = interpolator("tricubic", Scale(2, 2, 2))(lr)
    two.write_sr(sr, "tricubic")
    two.write_uncertainty(sr, "tricubic")
    two.describe_labels("tricubic")
    two.write_provenance(Provenance(two.image, "", "tricubic", None, None, {}, lr.geometry, sr.geometry), "tricubic")
    assert np.array_equal(read_volume(two.sr).voxels, sr.voxels)
    assert json.loads(two.sidecar.read_text())["model"]["name"] == "tricubic"
    written = {path.relative_to(tmp_path / "sr").as_posix() for path in (tmp_path / "sr").rglob("*") if path.is_file()}
    assert written == {"b.mha", "uncertainty/b.mha", "b.json"}


@pytest.mark.parametrize("dicom", [True, False])
def test_series_of_a_mixed_folder_become_series_or_files(tmp_path, lr, dicom):
    for number in (3, 4):
        write_series_of(tmp_path / "in", lr, number)
    outputs = plan_outputs(tmp_path / "in", tmp_path / "sr", dicom=dicom)
    suffix = "" if dicom else ".nii.gz"
    assert [each.sr for each in outputs.values()] == [tmp_path / f"sr/{n}_T1{suffix}" for n in (3, 4)]
    for image, output in outputs.items():
        sr = interpolator("tricubic", Scale(1, 2, 2))(read_volume(image))
        output.write_sr(sr, "tricubic x2x2x1")
        output.write_uncertainty(sr, "tricubic x2x2x1")
        assert output.labels.name.endswith(".nii.gz")
        for path in (output.sr, output.uncertainty):
            found = read_volume(path)
            assert np.array_equal(found.voxels, sr.voxels)
            assert same_grid(found.geometry, sr.geometry)
    if dicom:
        said = [pydicom.dcmread(tmp_path / f"sr/{name}/0001.dcm") for name in ("3_T1", "uncertainty/3_T1")]
        assert [one.SeriesDescription for one in said] == ["T1 SR", "T1 SR uncertainty"]
        assert [one.SeriesNumber for one in said] == [1003, 2003]
        assert said[1].DerivationDescription == "Uncertainty, in the unit of the image, of: tricubic x2x2x1"
    else:
        assert len(list_images(tmp_path / "sr")) == 2


def test_outputs_that_must_not_be_are_refused(tmp_path, lr):
    write_volume(lr, tmp_path / "lr/a.nii.gz")
    with pytest.raises(UdeansrError, match=r"lr: input and output are one folder; SR would replace LR; choose another"):
        plan_outputs(tmp_path / "lr", tmp_path / "lr")
    with pytest.raises(UdeansrError, match=r"lr: input and output are one folder"):
        plan_outputs(tmp_path / "lr/a.nii.gz", tmp_path / "lr")
    with pytest.raises(UdeansrError, match=r"a.nii.gz: the output is a file; expected a folder; give one with -o"):
        plan_outputs(tmp_path / "lr", tmp_path / "lr/a.nii.gz")
    with pytest.raises(UdeansrError, match=r"a.nii.gz: no DICOM; --dicom derives SR from a DICOM series; leave it out"):
        plan_outputs(tmp_path / "lr", tmp_path / "sr", dicom=True)
    with pytest.raises(UdeansrError, match=r"--bids and --dicom were both given; BIDS holds NIfTI only; give one"):
        plan_outputs(tmp_path / "lr", tmp_path / "sr", dicom=True, bids=True)
    write_series_of(tmp_path / "lr/a", lr, 3)
    with pytest.raises(
        UdeansrError, match=r"a and a.nii.gz would|a.nii.gz and a would both become .*sr/a.nii.gz; rename"
    ):
        plan_outputs(tmp_path / "lr", tmp_path / "sr")
    with pytest.raises(UdeansrError, match=r"sr: the output lies within the DICOM folder .*a, where SR would be taken"):
        plan_outputs(tmp_path / "lr/a", tmp_path / "lr/a/sr")
