import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from udeansr.errors import UdeansrError
from udeansr.image.acquisition import image_contrast
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry, Volume
from udeansr.models.choice import ModelQuery
from udeansr.parallel import Part
from udeansr.paths import Root
from udeansr.prediction import image_prediction, output
from udeansr.prediction import predict as module
from udeansr.prediction.options import Options
from udeansr.prediction.predict import overlapped, predict
from udeansr.prediction.predictor import Predictor
from udeansr.report.run_report import write_prediction_report


def test_items_come_in_order_each_once_it_is_written():
    log = []

    def write(item, made):
        time.sleep(0.01)
        log.append((item, made))

    for number, (item, failure) in enumerate(overlapped("abc", str.upper, lambda item, read: item + read, write)):
        assert failure is None and item == "abc"[number] and (item, item + item.upper()) in log
    assert log == [("a", "aA"), ("b", "bB"), ("c", "cC")]
    assert list(overlapped("", str.upper, max, write)) == []


def test_the_next_is_read_and_the_last_is_written_while_one_is_worked_on():
    read_b, write_a = threading.Event(), threading.Event()
    held = threading.Event()

    def read(item):
        if item == "c":
            read_b.set()
        return item

    def work(item, _):
        if item == "b":
            assert read_b.wait(10) and write_a.wait(10)
            held.set()
        return item

    def write(item, _):
        if item == "a":
            write_a.set()
            assert held.wait(10)

    assert [failure for _, failure in overlapped("abc", read, work, write)] == [None] * 3


def test_what_is_large_is_written_before_the_next_is_worked_on():
    written = []

    def work(item, _):
        assert len(written) == "abc".index(item)
        return item

    def write(item, _):
        time.sleep(0.02)
        written.append(item)

    results = list(overlapped("abc", str, work, write, is_large=lambda made: made in "abc"))
    assert results == [("a", None), ("b", None), ("c", None)]


def test_no_more_is_read_than_one_ahead():
    begun = []

    def work(item, _):
        time.sleep(0.02)
        assert begun == list("abcd"[: "abcd".index(item) + 2])

    assert [failure for _, failure in overlapped("abcd", begun.append, work, lambda *_: None)] == [None] * 4


@pytest.mark.parametrize("step", ["read", "work", "write"])
def test_one_that_fails_does_not_stop_the_others(step):
    def failing(name):
        def act(item, *_):
            if name == step and item == "b":
                raise ValueError(name)
            return item

        return act

    results = list(overlapped("abc", failing("read"), failing("work"), failing("write")))
    assert [item for item, _ in results] == ["a", "b", "c"]
    assert [str(failure) for _, failure in results] == ["None", step, "None"]


@pytest.mark.parametrize("step", ["read", "work", "write"])
def test_an_interruption_finishes_what_is_being_written_and_begins_nothing(step):
    written = []

    def interrupted(name):
        def act(item, *_):
            if name == step and item == "b":
                raise KeyboardInterrupt
            if name == "write":
                time.sleep(0.02)
                written.append(item)
            return item

        return act

    with pytest.raises(KeyboardInterrupt):
        list(overlapped("abcd", interrupted("read"), interrupted("work"), interrupted("write")))
    assert written == ["a"]


CUBIC = ModelQuery(Root(Path("results"), "default"), method="tricubic", scale=Scale(2, 2, 2))
ON_CPU = {"device": "cpu", "precision": "fp32"}


def names(folder: Path) -> list[str]:
    """All files, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def write_dicom(folder: Path, volume: Volume, description: str = "") -> None:
    folder.mkdir(parents=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, slice_ in enumerate(volume.voxels):
        image = sitk.GetImageFromArray(slice_[None])
        image.SetSpacing(volume.geometry.spacing_mm[::-1])
        image.SetOrigin(tuple(volume.geometry.world_mm((number, 0, 0))))
        image.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.4")  # MR image
        image.SetMetaData("0008|103e", description)
        image.SetMetaData("0020|000e", "1.2.826.0.1.3680043.2.1125.1")
        image.SetMetaData("0020|0013", str(number))
        image.SetMetaData("0020|0032", "\\".join(f"{mm:.4f}" for mm in volume.geometry.world_mm((number, 0, 0))))
        image.SetMetaData("0020|0037", "1\\0\\0\\0\\1\\0")
        writer.SetFileName(str(folder / f"{number}.dcm"))
        writer.Execute(image)


@pytest.fixture
def folder(tmp_path, lr) -> Path:
    for name in ("a.nii", "b.nii.gz", "c.nrrd", "d.mha"):
        write_volume(lr, tmp_path / "lr" / name)
    return tmp_path / "lr"


def test_a_folder_comes_back_under_its_names(folder, tmp_path, lr):
    outcome = predict(folder, tmp_path / "new" / "sr", CUBIC, Options(**ON_CPU))
    assert names(tmp_path / "new" / "sr") == ["a.nii", "b.nii.gz", "c.nrrd", "d.mha"]
    assert str(outcome) == "4 of 4 done"
    first = read_volume(outcome.done[0])
    assert first.voxels.shape == (12, 18, 16)
    for path in outcome.done[1:]:
        np.testing.assert_array_equal(read_volume(path).voxels, first.voxels)


def test_a_single_file_and_a_dicom_series(folder, tmp_path, lr):
    predict(folder / "c.nrrd", tmp_path / "one", CUBIC, Options(**ON_CPU))
    assert names(tmp_path / "one") == ["c.nrrd"]
    write_dicom(tmp_path / "scans" / "patient", lr)
    for number, given in enumerate((tmp_path / "scans", tmp_path / "scans" / "patient")):
        predict(given, tmp_path / f"series{number}", CUBIC, Options(**ON_CPU))
        assert names(tmp_path / f"series{number}") == ["patient.nii.gz"]
    expected, found = read_volume(tmp_path / "one" / "c.nrrd"), read_volume(tmp_path / "series1" / "patient.nii.gz")
    np.testing.assert_array_equal(found.voxels, expected.voxels)
    np.testing.assert_allclose(found.geometry.origin_mm, expected.geometry.origin_mm, atol=1e-3)


def test_a_trained_model_is_found_and_used(tiny_checkpoint, folder, tmp_path, lr):
    tiny_checkpoint(tmp_path / "results" / "Dataset007_Tiny" / "x2x2x2" / "udean" / "best.pt")
    query = ModelQuery(Root(tmp_path / "results", "--results"))
    predict(folder, tmp_path / "sr", query, Options(as_float=True, **ON_CPU))
    made = read_volume(tmp_path / "sr" / "a.nii").voxels
    assert made.shape == (12, 18, 16) and made.dtype == np.float32
    with pytest.raises(UdeansrError, match="stride 3 does not go with a model that predicts 1 of the 3 slices"):
        predict(folder, tmp_path / "fast", query, Options(stride=3, **ON_CPU))


def test_what_is_there_is_not_replaced_unasked(folder, tmp_path):
    sr = tmp_path / "sr"
    predict(folder / "b.nii.gz", sr, CUBIC, Options(**ON_CPU))
    before = (sr / "b.nii.gz").stat().st_mtime_ns
    with pytest.raises(UdeansrError) as told:
        predict(folder, sr, CUBIC, Options(**ON_CPU))
    assert f"{sr}: 1 of 4 SR files are there already, first b.nii.gz; keep them" in str(told.value)
    assert names(sr) == ["b.nii.gz"]
    outcome = predict(folder, sr, CUBIC, Options(mode="continue", **ON_CPU))
    assert str(outcome) == "3 of 4 done, 1 were there already"
    assert (sr / "b.nii.gz").stat().st_mtime_ns == before
    assert str(predict(folder, sr, CUBIC, Options(mode="continue", **ON_CPU))) == "0 of 4 done, 4 were there already"
    assert str(predict(folder, sr, CUBIC, Options(mode="overwrite", **ON_CPU))) == "4 of 4 done"
    assert (sr / "b.nii.gz").stat().st_mtime_ns != before


def test_inputs_are_never_replaced(folder, tmp_path):
    for lr in (folder, folder / "a.nii"):
        for sr in (folder, tmp_path / "lr" / ".." / "lr"):
            with pytest.raises(UdeansrError, match="input and output are one folder; SR would replace LR"):
                predict(lr, sr, CUBIC, Options(mode="overwrite", **ON_CPU))
    with pytest.raises(UdeansrError, match=r"a.nii: the output is a file; expected a folder"):
        predict(folder, folder / "a.nii", CUBIC, Options(**ON_CPU))


def test_two_inputs_never_become_one_output(folder, tmp_path, lr):
    write_dicom(folder / "b", lr)
    with pytest.raises(UdeansrError, match=r"b.nii.gz and b would both become .*b.nii.gz|b and b.nii.gz would both"):
        predict(folder, tmp_path / "sr", CUBIC, Options(**ON_CPU))
    assert not (tmp_path / "sr").exists()


def test_one_bad_file_does_not_stop_the_others(tiny_checkpoint, folder, tmp_path, lr, caplog):
    model = tiny_checkpoint(tmp_path / "best.pt")
    (folder / "a.nii").write_bytes(b"no image")
    far = Geometry(lr.geometry.shape, (5.0, 2.0, 2.0))
    write_volume(Volume(lr.voxels, far), folder / "c.nrrd")
    outcome = predict(folder, tmp_path / "sr", replace(CUBIC, method=None, scale=None, path=model), Options(**ON_CPU))
    assert str(outcome) == "2 of 4 done, 2 failed: a.nii, c.nrrd"
    assert names(tmp_path / "sr") == ["b.nii.gz", "d.mha"]
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 2 and all("\n" not in line for line in lines)
    assert lines[0].startswith(f"{folder / 'a.nii'}: cannot be read")
    assert lines[1].startswith(f"{folder / 'c.nrrd'}: spacing 5 x 2 x 2 mm (as SPL), the model Dataset007_Tiny x2x2x2")


def test_memory_that_runs_out_is_the_fault_of_one_image(folder, tmp_path, caplog, monkeypatch):
    def read(path: Path) -> Volume:
        if path.name == "b.nii.gz":
            raise MemoryError
        return read_volume(path)

    monkeypatch.setattr(module, "read_volume", read)
    assert str(predict(folder, tmp_path / "sr", CUBIC, Options(**ON_CPU))) == "3 of 4 done, 1 failed: b.nii.gz"
    assert f"{folder / 'b.nii.gz'}: out of memory" in caplog.text


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interruption_leaves_whole_files_only_and_continue_finishes(folder, tmp_path, monkeypatch, when):
    write = sitk.WriteImage

    def interrupted(image: sitk.Image, name: str, **options) -> None:
        if "c." in name and when == "before":
            Path(name).write_bytes(b"half")
            raise KeyboardInterrupt
        write(image, name, **options)
        if "c." in name:
            raise KeyboardInterrupt

    monkeypatch.setattr(sitk, "WriteImage", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict(folder, tmp_path / "sr", CUBIC, Options(**ON_CPU))
    assert names(tmp_path / "sr") == ["a.nii", "b.nii.gz"]
    monkeypatch.setattr(sitk, "WriteImage", write)
    assert (
        str(predict(folder, tmp_path / "sr", CUBIC, Options(mode="continue", **ON_CPU)))
        == "2 of 4 done, 2 were there already"
    )
    for path in (tmp_path / "sr").iterdir():
        assert read_volume(path).voxels.shape == (12, 18, 16)


def test_uncertainty_lies_beside_each_sr(tiny_checkpoint, folder, tmp_path, caplog):
    query = ModelQuery(Root(tmp_path, "--results"), path=tiny_checkpoint(tmp_path / "best.pt"))
    with caplog.at_level("WARNING"):
        outcome = predict(folder, tmp_path / "sr", query, Options(quality="balanced", uncertainty=True, **ON_CPU))
    assert "is not calibrated for quality balanced: uncertainty is the standard deviation" in caplog.text
    assert str(outcome) == "4 of 4 done"
    assert names(tmp_path / "sr") == ["a.nii", "b.nii.gz", "c.nrrd", "d.mha", "uncertainty"]
    assert names(tmp_path / "sr" / "uncertainty") == ["a.nii", "b.nii.gz", "c.nrrd", "d.mha"]
    sr, doubt = (read_volume(tmp_path / "sr" / name) for name in ("a.nii", "uncertainty/a.nii"))
    assert sr.geometry == doubt.geometry and sr.voxels.dtype == np.int16 and doubt.voxels.dtype == np.float32
    with pytest.raises(UdeansrError, match=r"quality 'fast' of udean gives one prediction; expected at least two"):
        predict(folder, tmp_path / "fast", query, Options(quality="fast", uncertainty=True, **ON_CPU))
    assert not (tmp_path / "fast").exists()


def test_a_volume_beyond_the_memory_is_made_in_a_file_and_is_the_same(tiny_checkpoint, folder, tmp_path, caplog):
    query = ModelQuery(Root(tmp_path, "--results"), path=tiny_checkpoint(tmp_path / "best.pt"))
    predict(folder, tmp_path / "memory", query, Options(**ON_CPU))
    with caplog.at_level("INFO"):
        predict(folder, tmp_path / "file", query, Options(memory_gb=1e-6, **ON_CPU))
    assert "are laid into a file of" in caplog.text
    assert names(tmp_path / "file") == names(tmp_path / "memory")
    for name in names(tmp_path / "file"):
        assert (tmp_path / "file" / name).read_bytes() == (tmp_path / "memory" / name).read_bytes()


def test_large_volumes_are_written_before_the_next_is_made(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(image_prediction, "LARGE_BYTES", 1000)
    log = []

    def write(volume: Volume, path: Path, *source: object) -> None:
        log.append(f"write {path.name}")
        write_volume(volume, path, *source)

    made = Predictor.predict

    def watched(self, volume, **options):
        log.append("predict")
        return made(self, volume, **options)

    monkeypatch.setattr(output, "write_volume", write)
    monkeypatch.setattr(Predictor, "predict", watched)
    predict(folder, tmp_path / "sr", CUBIC, Options(**ON_CPU))
    assert log == [line for name in names(folder) for line in ("predict", f"write {name}")]


def test_each_image_gets_a_line_and_on_request_a_json(folder, tmp_path, caplog):
    with caplog.at_level("INFO"):
        predict(folder, tmp_path / "sr", CUBIC, Options(json=True, **ON_CPU))
    lines = [record.getMessage() for record in caplog.records if "consistent with its LR" in record.getMessage()]
    assert [line[:3] for line in lines] == ["a: ", "b: ", "c: ", "d: "]
    told = json.loads((tmp_path / "sr" / "b.json").read_text())
    assert told["input"]["file"] == (folder / "b.nii.gz").as_posix() and len(told["input"]["sha256"]) == 64
    assert told["model"] == {"name": "tricubic x2x2x2", "file": None, "sha256": None}
    assert told["settings"]["quality"] == "fast" and told["grid"]["sr"]["shape"] == [12, 18, 16]
    assert f"{told['report']['consistency_db']:.1f} dB" in lines[1]


def test_label_maps_come_along(folder, tmp_path, lr, caplog):
    labels = Volume((lr.voxels > 300).astype(np.uint8), lr.geometry)
    write_volume(labels, tmp_path / "seg" / "a.nii.gz")
    write_volume(Volume(labels.voxels, replace(lr.geometry, origin_mm=(9.0, 9.0, 9.0))), tmp_path / "seg" / "c.nii.gz")
    outcome = predict(folder, tmp_path / "sr", CUBIC, Options(labels=tmp_path / "seg", **ON_CPU))
    assert str(outcome) == "3 of 4 done, 1 failed: c.nrrd"
    assert "origin" in caplog.text and not (tmp_path / "sr" / "c.nrrd").exists()
    (moved,) = (tmp_path / "sr" / "labels").iterdir()
    made = read_volume(moved)
    assert made.geometry == read_volume(tmp_path / "sr" / "a.nii").geometry
    np.testing.assert_array_equal(made.voxels, labels.voxels.repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_a_wrong_label_map_is_told_of_before_the_work(folder, tmp_path, lr, monkeypatch):
    short = lr.voxels[1:].astype(np.uint8)
    write_volume(Volume(short, replace(lr.geometry, shape=short.shape)), tmp_path / "seg" / "c.nii.gz")
    worked: list[str] = []
    predicted = Predictor.predict

    def watched(self, volume, **options):
        worked.append(options["name"])
        return predicted(self, volume, **options)

    monkeypatch.setattr(Predictor, "predict", watched)
    outcome = predict(folder, tmp_path / "sr", CUBIC, Options(labels=tmp_path / "seg", **ON_CPU))
    assert str(outcome) == "3 of 4 done, 1 failed: c.nrrd" and worked == ["a", "b", "d"]


def test_dicom_becomes_a_derived_series_and_nothing_else_does(folder, tmp_path, lr):
    write_dicom(tmp_path / "dicom", Volume(np.maximum(lr.voxels, 0).astype(np.int16), lr.geometry))
    outcome = predict(tmp_path / "dicom", tmp_path / "sr", CUBIC, Options(dicom=True, **ON_CPU))
    assert [path.name for path in outcome.done] == ["dicom"]
    assert read_volume(outcome.done[0]).voxels.shape == (12, 18, 16)
    header = pydicom.dcmread(next(outcome.done[0].iterdir()), stop_before_pixels=True)
    assert header.SeriesDescription.endswith("SR")
    assert header.ImageComments.startswith("consistent with its LR to ")
    page = write_prediction_report(tmp_path / "dicom", tmp_path / "sr", outcome, dicom=True)
    assert 'id="case-0"' in page.read_text(encoding="utf-8") and "consistency" in page.read_text(encoding="utf-8")
    with pytest.raises(UdeansrError, match="DICOM"):
        predict(folder, tmp_path / "other", CUBIC, Options(dicom=True, **ON_CPU))
    assert not (tmp_path / "other").exists()


def test_a_dicom_series_tells_its_contrast_by_its_headers(tmp_path, lr):
    write_dicom(tmp_path / "anna", lr, "t2_tse_FLAIR_tra")
    write_dicom(tmp_path / "berta", lr)
    write_dicom(tmp_path / "berta_t2", lr)
    (tmp_path / "empty").mkdir()
    found = [image_contrast(tmp_path / name) for name in ("anna", "berta", "berta_t2", "empty")]
    assert found == ["FLAIR", None, "T2w", None]


def test_a_bids_dataset_becomes_a_derivative_of_the_models_contrast(tmp_path, lr):
    root = tmp_path / "study"
    for name in ("sub-1_T1w", "sub-1_T2w", "sub-2_T1w"):
        write_volume(lr, root / name.split("_")[0] / "anat" / f"{name}.nii.gz")
    (root / "dataset_description.json").write_text('{"Name": "study", "BIDSVersion": "1.10.0"}')
    outcome = predict(root, root / "derivatives" / "udeansr", CUBIC, Options(bids=True, **ON_CPU))
    assert len(outcome.done) == 3
    assert (root / "derivatives" / "udeansr" / "dataset_description.json").is_file()
    assert (root / "derivatives/udeansr/sub-2/anat/sub-2_res-sr_desc-udeansr_T1w.json").is_file()


def test_parts_and_devices_share_the_images_out(folder, tmp_path):
    whole = predict(folder, tmp_path / "whole", CUBIC, Options(**ON_CPU))
    for number in range(3):
        predict(folder, tmp_path / "parts", CUBIC, Options(part=Part(3, number), **ON_CPU))
    shared = predict(folder, tmp_path / "devices", CUBIC, Options(device="cpu,cpu", precision="fp32"))
    assert str(whole) == str(shared) == "4 of 4 done"
    for other in ("parts", "devices"):
        assert names(tmp_path / other) == names(tmp_path / "whole")
        for name in names(tmp_path / other):
            np.testing.assert_array_equal(*(read_volume(tmp_path / run / name).voxels for run in ("whole", other)))
    with pytest.raises(UdeansrError, match="4 of 4 SR files are there already"):
        predict(folder, tmp_path / "devices", CUBIC, Options(device="cpu,cpu", precision="fp32"))


def test_an_image_is_done_when_all_that_is_asked_for_is_there(tiny_checkpoint, folder, tmp_path):
    query, sr = ModelQuery(Root(tmp_path, "--results"), path=tiny_checkpoint(tmp_path / "best.pt")), tmp_path / "sr"
    asked = Options(quality="balanced", json=True, uncertainty=True, mode="continue", **ON_CPU)
    predict(folder / "a.nii", sr, query, Options(quality="balanced", **ON_CPU))
    assert str(predict(folder, sr, query, asked)) == "4 of 4 done"
    whole = names(sr), names(sr / "uncertainty")
    assert whole[0] == sorted([*whole[1], "a.json", "b.json", "c.json", "d.json", "uncertainty"])
    (sr / "b.json").unlink()
    (sr / "uncertainty" / "c.nrrd").unlink()
    for left in (".a.999999999.partial.nii", ".d.999999999.partial.json", "uncertainty/.a.999999999.partial.nii"):
        (sr / left).write_bytes(b"half")
    assert str(predict(folder, sr, query, asked)) == "2 of 4 done, 2 were there already"
    assert (names(sr), names(sr / "uncertainty")) == whole
    assert str(predict(folder, sr, query, asked)) == "0 of 4 done, 4 were there already"


def test_what_is_made_of_an_image_is_open_to_nobody_who_may_not_read_it(folder, tmp_path):
    (folder / "a.nii").chmod(0o600)
    (folder / "b.nii.gz").chmod(0o640)
    before = os.umask(0o022)
    try:
        predict(folder, tmp_path / "sr", CUBIC, Options(json=True, **ON_CPU))
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "sr").iterdir()}
    assert modes["a.nii"] == modes["a.json"] == "0o600" and modes["b.nii.gz"] == modes["b.json"] == "0o640"
    assert modes["c.nrrd"] == modes["c.json"] == "0o644"


def test_a_name_that_is_no_utf8_is_the_fault_of_one_image(folder, tmp_path, caplog):
    os.rename(folder / "a.nii", folder / os.fsdecode(b"a\xff.nii"))
    outcome = predict(folder, tmp_path / "sr", CUBIC, Options(json=True, **ON_CPU))
    assert str(outcome) == "3 of 4 done, 1 failed: a\\xff.nii"
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"{folder}/a\\xff.nii: the bytes of its name are no UTF-8; rename it"
    ]
