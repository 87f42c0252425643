import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from udeansr.cli.predict import main
from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale
from udeansr.models.model import interpolator
from udeansr.prediction.bids import bids_targets, dataset_root, ignore_pages, write_dataset_description, write_sidecar
from udeansr.prediction.labels import labels_to_sr, read_labels
from udeansr.prediction.output import Provenance, checksum, plan_outputs
from udeansr.prediction.predictor import Predictor

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example/Dataset001_BrainT1w/testLR"


def write(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


@pytest.fixture
def dataset(tmp_path) -> Path:
    """A raw dataset of the example: a subject without sessions, one with two runs in a session, one anonymous T2w."""
    root = tmp_path / "study"
    write(root / "dataset_description.json", {"Name": "Mood", "BIDSVersion": "1.10.0", "License": "CC0"})
    (root / "README").write_text("The example's images, as BIDS has them, for a test. " * 5)
    ten, fourteen = (EXAMPLE / f"sub-{name}_T1w.nii.gz" for name in ("10", "14"))
    images = {
        "sub-10/anat/sub-10_T1w.nii.gz": ten,
        "sub-10/anat/sub-10_T2w.nii.gz": fourteen,
        "sub-14/ses-1/anat/sub-14_ses-1_acq-x_run-1_T1w.nii.gz": fourteen,
        "sub-14/ses-1/anat/sub-14_ses-1_acq-x_run-2_part-mag_T1w.nii.gz": fourteen,
        "sub-14/ses-1/anat/sub-14_ses-1_acq-x_run-2_part-phase_T1w.nii.gz": fourteen,
        "derivatives/other/sub-10/anat/sub-10_desc-x_T1w.nii.gz": ten,
    }
    for name, source in images.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name)
    write(root / "T1w.json", {"Manufacturer": "ACME", "MagneticFieldStrength": 3, "SliceThickness": 4})
    write(root / "acq-x_T1w.json", {"RepetitionTime": 2.0})
    write(root / "T2w.json", {"Manufacturer": "Other"})
    write(
        root / "sub-14/ses-1/anat/sub-14_ses-1_acq-x_run-1_T1w.json", {"MagneticFieldStrength": 7, "ImageType": ["M"]}
    )
    return root


def validated(dataset: Path) -> list[dict]:
    command = Path(sys.executable).parent / "bids-validator-deno"
    done = subprocess.run([str(command), str(dataset), "--format", "json"], check=False, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["summary"]["totalFiles"] > 0
    return [issue for issue in report["issues"]["issues"] if issue["severity"] == "error"]


def test_a_page_within_a_derivative_dataset_leaves_it_valid(tmp_path, dataset, monkeypatch, capsys):
    output = tmp_path / "out"
    words = ("-i", str(dataset), "-o", str(output), "--bids", "--method", "tricubic", "--scale", "x2x2x1", "--report")
    monkeypatch.setattr(sys, "argv", ["udeansr_predict", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code and capsys.readouterr().out.endswith(f"{output / 'report.html'}\n")
    assert (output / "report.html").read_text(encoding="utf-8").count('id="case-') == 4
    assert validated(output) == []
    (output / ".bidsignore").write_text("*.txt\n")
    for _ in range(2):
        ignore_pages(output)
    assert (output / ".bidsignore").read_text() == "*.txt\n*.html\n"


@pytest.mark.parametrize("place", ["study/derivatives/udeansr", "elsewhere"])
def test_what_comes_out_is_a_valid_derivative_dataset(tmp_path, dataset, place):
    output = tmp_path / place
    resolve = Predictor(interpolator("tricubic", Scale(1, 2, 2)))
    outputs = plan_outputs(dataset, output, bids=True)
    assert len(outputs) == 4
    write_dataset_description(output, dataset, "tricubic x2x2x1")
    for image, where in outputs.items():
        lr = read_volume(image)
        sr = resolve(lr)
        where.write_sr(sr, "tricubic x2x2x1")
        where.write_uncertainty(sr, "tricubic x2x2x1")
        write_volume(labels_to_sr(read_labels(image, lr.geometry), sr.geometry), where.labels)
        where.describe_labels("tricubic x2x2x1")
        made = Provenance(image, checksum(image), "tricubic", None, None, {}, lr.geometry, sr.geometry)
        where.write_provenance(made, "tricubic x2x2x1")
    assert validated(output) == []
    expected = {
        "sub-10/anat/sub-10_res-sr_desc-udeansr_T1w",
        "sub-10/anat/sub-10_res-sr_desc-udeansrUncertainty_T1w",
        "sub-10/anat/sub-10_res-sr_desc-udeansrT1w_dseg",
        "sub-10/anat/sub-10_res-sr_desc-udeansr_T2w",
        "sub-10/anat/sub-10_res-sr_desc-udeansrUncertainty_T2w",
        "sub-10/anat/sub-10_res-sr_desc-udeansrT2w_dseg",
    }
    for run in ("run-1", "run-2_part-mag"):
        stem = f"sub-14/ses-1/anat/sub-14_ses-1_acq-x_{run}_res-sr_desc-udeansr"
        expected |= {f"{stem}_T1w", f"{stem}Uncertainty_T1w", f"{stem}T1w_dseg"}
    files = {path.relative_to(output).as_posix() for path in output.glob("sub-*/**/*") if path.is_file()}
    assert files == {f"{name}.nii.gz" for name in expected} | {f"{name}.json" for name in expected}
    sidecar = json.loads((output / "sub-10/anat/sub-10_res-sr_desc-udeansr_T1w.json").read_text())
    assert sidecar["Sources"] == ["bids:source:sub-10/anat/sub-10_T1w.nii.gz"]
    assert sidecar["udeansr"]["model"]["name"] == "tricubic"
    description = json.loads((output / "dataset_description.json").read_text())
    link = description["DatasetLinks"]["source"]
    assert (output / link).resolve() == dataset
    assert (description["DatasetType"], description["License"]) == ("derivative", "CC0")
    assert description["GeneratedBy"][0]["Name"] == "udeansr"


def test_the_validator_tells_of_faults(tmp_path, dataset):
    output = tmp_path / "out"
    write_dataset_description(output, dataset, "x")
    (output / "sub-10/anat").mkdir(parents=True)
    shutil.copy(dataset / "sub-10/anat/sub-10_T1w.nii.gz", output / "sub-10/anat/sub-10_desc-x_res-sr_T1w.nii.gz")
    assert {issue["code"] for issue in validated(output)} >= {"FILENAME_MISMATCH", "SIDECAR_KEY_REQUIRED"}


def test_sidecars_are_inherited_and_what_sr_makes_untrue_is_left_out(tmp_path, dataset):
    targets = {path.name: target for path, target in bids_targets(dataset, tmp_path / "out").items()}
    assert targets["sub-10_T1w.nii.gz"].metadata == {
        "Manufacturer": "ACME",
        "MagneticFieldStrength": 3,
        "SkullStripped": False,
    }
    run = targets["sub-14_ses-1_acq-x_run-1_T1w.nii.gz"].metadata
    assert (run["MagneticFieldStrength"], run["RepetitionTime"], run["Manufacturer"]) == (7, 2.0, "ACME")
    assert not {"SliceThickness", "ImageType"} & set(run)
    assert targets["sub-10_T2w.nii.gz"].metadata["Manufacturer"] == "Other"
    target = targets["sub-10_T1w.nii.gz"]
    write_sidecar(target.sr, target, "half the voxel", "SR", {"udeansr": {"a": 1}})
    written = json.loads(target.sr.with_name("sub-10_res-sr_desc-udeansr_T1w.json").read_text())
    assert written["Resolution"] == "half the voxel"
    assert written["Description"] == "SR"
    assert written["udeansr"] == {"a": 1}


def test_images_are_chosen_by_place_and_suffix(tmp_path, dataset, caplog, monkeypatch):
    def names(given: Path, *suffixes: str) -> list[str]:
        chosen = bids_targets(given, tmp_path / "out", suffixes) if suffixes else bids_targets(given, tmp_path / "out")
        return [path.name.split("_", 1)[0] + "_" + path.name.rsplit("_", 1)[1].split(".")[0] for path in chosen]

    with caplog.at_level(logging.INFO):
        assert names(dataset, "T1w") == ["sub-10_T1w", "sub-14_T1w", "sub-14_T1w"]
    assert "left out 2 images of anat: sub-10_T2w.nii.gz, sub-14_ses-1_acq-x_run-2_part-phase_T1w.nii.gz" in caplog.text
    assert names(dataset / "sub-10") == ["sub-10_T1w", "sub-10_T2w"]
    assert names(dataset / "sub-10/anat/sub-10_T2w.nii.gz") == ["sub-10_T2w"]
    monkeypatch.chdir(dataset / "sub-14")
    assert dataset_root(Path()) == dataset
    assert names(Path("../sub-10")) == ["sub-10_T1w", "sub-10_T2w"]
    with pytest.raises(UdeansrError, match=r"sub-10: no image of anat with suffix FLAIR in this part of .*study"):
        names(dataset / "sub-10", "FLAIR")


def test_skull_stripped_is_left_as_known(tmp_path, caplog):
    root = tmp_path / "stripped"
    write(root / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0", "DatasetType": "derivative"})
    for name in ("sub-1_desc-a_T1w", "sub-2_desc-a_T1w"):
        write(root / name[:5] / "anat" / f"{name}.nii.gz", "")
    write(root / "sub-1/anat/sub-1_desc-a_T1w.json", {"SkullStripped": True})
    with caplog.at_level(logging.WARNING):
        one, two = bids_targets(root, tmp_path / "out").values()
    assert one.metadata == {"SkullStripped": True}
    assert two.metadata == {}
    assert one.sr.name == "sub-1_res-sr_desc-audeansr_T1w.nii.gz"
    assert "sub-2_desc-a_T1w.nii.gz: its sidecar does not say SkullStripped" in caplog.text
    assert "sub-1" not in caplog.text


def test_outputs_that_would_spoil_a_dataset_are_refused(tmp_path, dataset):
    for place in (".", "sr", "derivatives", "sub-10"):
        with pytest.raises(
            UdeansrError, match=r"the output would lie among the images of .*; give a folder of its own"
        ):
            bids_targets(dataset, dataset / place)
    write(tmp_path / "out/dataset_description.json", {"Name": "x", "GeneratedBy": [{"Name": "fmriprep"}]})
    with pytest.raises(UdeansrError, match=r"out: holds a BIDS dataset that udeansr did not make; choose another"):
        write_dataset_description(tmp_path / "out", dataset, "x")


def test_ours_can_be_written_again_and_its_readme_stays(tmp_path, dataset):
    write_dataset_description(tmp_path / "out", dataset, "x")
    (tmp_path / "out/README.md").write_text("mine")
    write_dataset_description(tmp_path / "out", dataset, "y")
    assert (tmp_path / "out/README.md").read_text() == "mine"
    assert '"Description": "y"' in (tmp_path / "out/dataset_description.json").read_text()


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(UdeansrError, match=r"no BIDS dataset; expected a folder with dataset_description.json"):
        bids_targets(tmp_path, tmp_path / "out")
    write(tmp_path / "dataset_description.json", [1])
    with pytest.raises(UdeansrError, match=r"dataset_description.json: holds a list; expected an object"):
        bids_targets(tmp_path, tmp_path.parent / "out")


def test_sidecars_that_are_asked_for_and_missing_are_made(dataset, tmp_path):
    output = tmp_path / "derivative"
    image = next(iter(bids_targets(dataset, output)))
    made = plan_outputs(dataset, output, bids=True)[image]
    assert not made.has_provenance
    assert made.files(json=False, uncertainty=True, labels=False)[2:] == (
        made.sidecar,
        made.uncertainty.with_name(made.uncertainty.name.split(".")[0] + ".json"),
    )
    made.sidecar.parent.mkdir(parents=True, exist_ok=True)
    for text, has in (("{}", False), ("half", False), ('{"udeansr": {}}', True)):
        made.sidecar.write_text(text)
        assert made.has_provenance == has
