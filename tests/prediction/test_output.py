import hashlib
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

import udeansr
from udeansr.errors import UdeansrError
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import Scale, same_grid
from udeansr.image.volume import Geometry, Volume
from udeansr.models.model import interpolator
from udeansr.prediction.output import Output, Provenance, checksum, plan_outputs, write_provenance
from udeansr.prediction.predictor import Predictor
from udeansr.prediction.trust import Trust
from udeansr.strict_json import from_json

LR, SR = Geometry((4, 6, 5), (3.0, 1.2, 0.9)), Geometry((4, 12, 10), (3.0, 0.6, 0.45))


def provenance(image: Path, **changed: object) -> Provenance:
    settings = {"stride": 1, "quality": "best", "precision": "fp32", "device": "cpu"}
    values = {"settings": settings, "report": {"shift": {"y": 0.1, "x": 0.2}, "consistency_db": 41.5}}
    return Provenance(image, "ab", "brain", Path("m.zip"), "cd", lr=LR, sr=SR, **(values | changed))


def test_the_file_tells_what_was_made_of_what(tmp_path):
    write_provenance(provenance(tmp_path / "a.nii.gz"), tmp_path / "sr" / "a.json")
    found = json.loads((tmp_path / "sr" / "a.json").read_text())
    assert list(found) == ["made_by", "date", "input", "model", "settings", "grid", "report"]
    assert found["made_by"]["udeansr"] == udeansr.__version__
    assert datetime.fromisoformat(found["date"]).tzinfo is not None
    assert found["input"] == {"file": (tmp_path / "a.nii.gz").as_posix(), "sha256": "ab"}
    assert found["model"] == {"name": "brain", "file": "m.zip", "sha256": "cd"}
    assert [from_json(Geometry, found["grid"][key], "here") for key in ("lr", "sr")] == [LR, SR]
    assert list(found["settings"]) == ["device", "precision", "quality", "stride"]
    assert found["report"] == {"consistency_db": 41.5, "shift": {"x": 0.2, "y": 0.1}}
    assert list(found["report"]["shift"]) == ["x", "y"]
    assert [path.name for path in (tmp_path / "sr").iterdir()] == ["a.json"]


def test_the_order_does_not_hang_on_the_callers():
    one, two = {"b": 1, "a": {"d": 1, "c": 2}}, {"a": {"c": 2, "d": 1}, "b": 1}
    made = [provenance(Path("a"), settings=each, report=each).as_dict() | {"date": ""} for each in (one, two)]
    assert json.dumps(made[0]) == json.dumps(made[1])


def test_a_number_that_is_none_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_provenance(provenance(Path("a"), report={"noise": np.nan}), tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_checksums_are_those_that_sha256sum_prints(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"voxels")
    assert checksum(tmp_path / "a.nii") == hashlib.sha256(b"voxels").hexdigest()
    folder = tmp_path / "T1"
    folder.mkdir()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(3):
        image = sitk.GetImageFromArray(np.full((1, 4, 4), number, np.uint16))
        image.SetMetaData("0008|0060", "MR")
        image.SetMetaData("0020|000e", "1.2.3")
        image.SetMetaData("0020|0032", f"0\\0\\{number}")
        image.SetMetaData("0020|0037", "1\\0\\0\\0\\1\\0")
        writer.SetFileName(str(folder / f"{number}.dcm"))
        writer.Execute(image)
    lines = sorted(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in folder.iterdir())
    assert len(lines) == 3
    assert checksum(folder) == hashlib.sha256("".join(lines).encode()).hexdigest()


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
    sr = Predictor(interpolator("tricubic", Scale(2, 2, 2)))(lr)
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
        sr = Predictor(interpolator("tricubic", Scale(1, 2, 2)))(read_volume(image))
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


def test_two_images_with_one_json_are_told_before_the_work(tmp_path):
    for name in ("a.nii", "a.nii.gz"):
        write_volume(Volume(np.ones(LR.shape, np.int16), LR), tmp_path / "lr" / name)
    assert len(plan_outputs(tmp_path / "lr", tmp_path / "sr")) == 2
    with pytest.raises(UdeansrError, match=r"a.nii.gz and a.nii would both become .*a.json; rename one"):
        plan_outputs(tmp_path / "lr", tmp_path / "sr", json=True)


@pytest.mark.parametrize("place", ["targetLR", "sourceHR/sr"])
def test_sr_never_comes_among_the_scans_of_a_dataset(tmp_path, place):
    write_volume(Volume(np.ones(LR.shape, np.int16), LR), tmp_path / "lr" / "a.nii")
    (tmp_path / "Dataset001_A" / place).mkdir(parents=True)
    plan_outputs(tmp_path / "lr", tmp_path / "Dataset001_A" / place)
    (tmp_path / "Dataset001_A" / "dataset.json").write_text("{}")
    with pytest.raises(UdeansrError, match="the output lies among the scans of the dataset"):
        plan_outputs(tmp_path / "lr", tmp_path / "Dataset001_A" / place)


def test_a_series_outside_of_the_domain_says_so_where_viewers_show_it(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("udeansr.prediction.output.write_series", lambda *given: written.append(given[-1]))
    output = Output(tmp_path, tmp_path / "sr", tmp_path / "u", tmp_path / "l", dicom=True)
    sr = Volume(np.zeros(SR.shape, np.int16), SR)
    output.write_sr(sr, "how", Trust(40.0, 0.01, 1.0, outside=("noise 0.3",)))
    output.write_sr(sr, "how", Trust(40.0, 0.01, 1.0, outside=()))
    output.write_sr(sr, "how")
    assert [each.mark for each in written] == ["SR OUTSIDE DOMAIN", "SR", "SR"]
    assert "OUTSIDE the model's domain: noise 0.3" in written[0].comment and written[2].comment == ""
