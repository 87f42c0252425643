import hashlib
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import udeansr
from udeansr.image.volume import Geometry
from udeansr.prediction.sidecar import Provenance, checksum, write_provenance

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
    assert [Geometry.from_dict(found["grid"][key]) for key in ("lr", "sr")] == [LR, SR]
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
