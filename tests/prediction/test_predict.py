from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry, Volume
from udeansr.paths import Root
from udeansr.prediction import predict as module
from udeansr.prediction.choice import Wish
from udeansr.prediction.predict import predict
from udeansr.prediction.super_resolver import SuperResolver

CUBIC = Wish(Root(Path("results"), "default"), method="tricubic", scale=Scale(2, 2, 2))
ON_CPU = {"device": "cpu", "precision": "fp32"}


def names(folder: Path) -> list[str]:
    """All files, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def write_dicom(folder: Path, volume: Volume) -> None:
    folder.mkdir(parents=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, slice_ in enumerate(volume.voxels):
        image = sitk.GetImageFromArray(slice_[None])
        image.SetSpacing(volume.geometry.spacing_mm[::-1])
        image.SetOrigin(tuple(volume.geometry.world_mm((number, 0, 0))))
        image.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.4")  # MR image
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
    outcome = predict(folder, tmp_path / "new" / "sr", CUBIC, **ON_CPU)
    assert names(tmp_path / "new" / "sr") == ["a.nii", "b.nii.gz", "c.nrrd", "d.mha"]
    assert str(outcome) == "4 of 4 done"
    first = read_volume(outcome.done[0])
    assert first.voxels.shape == (12, 18, 16)
    for path in outcome.done[1:]:
        np.testing.assert_array_equal(read_volume(path).voxels, first.voxels)


def test_a_single_file_and_a_dicom_series(folder, tmp_path, lr):
    predict(folder / "c.nrrd", tmp_path / "one", CUBIC, **ON_CPU)
    assert names(tmp_path / "one") == ["c.nrrd"]
    write_dicom(tmp_path / "scans" / "patient", lr)
    for number, given in enumerate((tmp_path / "scans", tmp_path / "scans" / "patient")):
        predict(given, tmp_path / f"series{number}", CUBIC, **ON_CPU)
        assert names(tmp_path / f"series{number}") == ["patient.nii.gz"]
    expected, found = read_volume(tmp_path / "one" / "c.nrrd"), read_volume(tmp_path / "series1" / "patient.nii.gz")
    np.testing.assert_array_equal(found.voxels, expected.voxels)
    np.testing.assert_allclose(found.geometry.origin_mm, expected.geometry.origin_mm, atol=1e-3)


def test_a_trained_model_is_found_and_used(train, folder, tmp_path, lr):
    train(tmp_path / "results" / "Dataset007_Tiny" / "x2x2x2" / "udean" / "best.pt")
    wish = Wish(Root(tmp_path / "results", "--results"))
    predict(folder, tmp_path / "sr", wish, as_float=True, **ON_CPU)
    made = read_volume(tmp_path / "sr" / "a.nii").voxels
    assert made.shape == (12, 18, 16) and made.dtype == np.float32
    with pytest.raises(UdeansrError, match="stride 3 does not go with a model that answers for 1 of the 3 slices"):
        predict(folder, tmp_path / "fast", wish, stride=3, **ON_CPU)


def test_what_is_there_is_not_replaced_unasked(folder, tmp_path):
    sr = tmp_path / "sr"
    predict(folder / "b.nii.gz", sr, CUBIC, **ON_CPU)
    before = (sr / "b.nii.gz").stat().st_mtime_ns
    with pytest.raises(UdeansrError) as told:
        predict(folder, sr, CUBIC, **ON_CPU)
    assert f"{sr}: 1 of 4 SR files are there already, first b.nii.gz; keep them" in str(told.value)
    assert names(sr) == ["b.nii.gz"]
    outcome = predict(folder, sr, CUBIC, mode="continue", **ON_CPU)
    assert str(outcome) == "3 of 4 done, 1 were there already"
    assert (sr / "b.nii.gz").stat().st_mtime_ns == before
    assert str(predict(folder, sr, CUBIC, mode="continue", **ON_CPU)) == "0 of 4 done, 4 were there already"
    assert str(predict(folder, sr, CUBIC, mode="overwrite", **ON_CPU)) == "4 of 4 done"
    assert (sr / "b.nii.gz").stat().st_mtime_ns != before


def test_inputs_are_never_replaced(folder, tmp_path):
    for lr in (folder, folder / "a.nii"):
        for sr in (folder, tmp_path / "lr" / ".." / "lr"):
            with pytest.raises(UdeansrError, match="input and output are one folder; SR would replace LR"):
                predict(lr, sr, CUBIC, mode="overwrite", **ON_CPU)
    with pytest.raises(UdeansrError, match=r"a.nii: the output is a file; expected a folder"):
        predict(folder, folder / "a.nii", CUBIC, **ON_CPU)


def test_two_inputs_never_become_one_output(folder, tmp_path, lr):
    write_dicom(folder / "b", lr)
    with pytest.raises(UdeansrError, match=r"b.nii.gz and b would both become .*b.nii.gz|b and b.nii.gz would both"):
        predict(folder, tmp_path / "sr", CUBIC, **ON_CPU)
    assert not (tmp_path / "sr").exists()


def test_one_bad_file_does_not_stop_the_others(train, folder, tmp_path, lr, caplog):
    model = train(tmp_path / "best.pt")
    (folder / "a.nii").write_bytes(b"no image")
    far = Geometry(lr.geometry.shape, (5.0, 2.0, 2.0))
    write_volume(Volume(lr.voxels, far), folder / "c.nrrd")
    outcome = predict(folder, tmp_path / "sr", replace(CUBIC, method=None, scale=None, path=model), **ON_CPU)
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
    assert str(predict(folder, tmp_path / "sr", CUBIC, **ON_CPU)) == "3 of 4 done, 1 failed: b.nii.gz"
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
        predict(folder, tmp_path / "sr", CUBIC, **ON_CPU)
    assert names(tmp_path / "sr") == ["a.nii", "b.nii.gz"]
    monkeypatch.setattr(sitk, "WriteImage", write)
    assert (
        str(predict(folder, tmp_path / "sr", CUBIC, mode="continue", **ON_CPU)) == "2 of 4 done, 2 were there already"
    )
    for path in (tmp_path / "sr").iterdir():
        assert read_volume(path).voxels.shape == (12, 18, 16)


def test_uncertainty_lies_beside_each_sr(train, folder, tmp_path, caplog):
    wish = Wish(Root(tmp_path, "--results"), path=train(tmp_path / "best.pt"))
    with caplog.at_level("WARNING"):
        outcome = predict(folder, tmp_path / "sr", wish, quality="balanced", uncertainty=True, **ON_CPU)
    assert "the model is not calibrated: the map is the spread of its answers" in caplog.text
    assert str(outcome) == "4 of 4 done"
    assert names(tmp_path / "sr") == [
        *("a.nii", "a_uncertainty.nii", "b.nii.gz", "b_uncertainty.nii.gz"),
        *("c.nrrd", "c_uncertainty.nrrd", "d.mha", "d_uncertainty.mha"),
    ]
    sr, trust = (read_volume(tmp_path / "sr" / name) for name in ("a.nii", "a_uncertainty.nii"))
    assert sr.geometry == trust.geometry and sr.voxels.dtype == np.int16 and trust.voxels.dtype == np.float32
    with pytest.raises(UdeansrError, match=r"quality 'fast' of udean gives one answer; expected at least two"):
        predict(folder, tmp_path / "fast", wish, uncertainty=True, **ON_CPU)
    assert not (tmp_path / "fast").exists()


def test_a_map_never_takes_the_place_of_an_sr(folder, tmp_path, lr):
    write_volume(lr, folder / "a_uncertainty.nii")
    with pytest.raises(UdeansrError, match=r"a_uncertainty.nii and the uncertainty of a.nii would both become "):
        predict(folder, tmp_path / "sr", CUBIC, uncertainty=True, **ON_CPU)


def test_a_volume_beyond_the_memory_is_made_in_a_file_and_is_the_same(train, folder, tmp_path, caplog):
    wish = Wish(Root(tmp_path, "--results"), path=train(tmp_path / "best.pt"))
    predict(folder, tmp_path / "memory", wish, **ON_CPU)
    with caplog.at_level("INFO"):
        predict(folder, tmp_path / "file", wish, memory_gb=1e-6, **ON_CPU)
    assert "are laid into a file of" in caplog.text
    assert names(tmp_path / "file") == names(tmp_path / "memory")
    for name in names(tmp_path / "file"):
        assert (tmp_path / "file" / name).read_bytes() == (tmp_path / "memory" / name).read_bytes()


def test_large_volumes_are_written_before_the_next_is_made(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE_BYTES", 1000)
    log = []

    def write(volume: Volume, path: Path) -> None:
        log.append(f"write {path.name}")
        write_volume(volume, path)

    made = SuperResolver.predict

    def watched(self, volume, **options):
        log.append("predict")
        return made(self, volume, **options)

    monkeypatch.setattr(module, "write_volume", write)
    monkeypatch.setattr(SuperResolver, "predict", watched)
    predict(folder, tmp_path / "sr", CUBIC, **ON_CPU)
    assert log == [line for name in names(folder) for line in ("predict", f"write {name}")]
