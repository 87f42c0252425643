import json
import logging

import numpy as np
import pytest

from udeansr.image.files import read_volume, write_volume
from udeansr.image.volume import Volume
from udeansr.report.case_report import CaseFiles, report_case


@pytest.fixture(scope="module")
def report(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("more")
    sr = read_volume(case["sr"])
    away = np.linalg.norm(np.moveaxis(np.indices(sr.voxels.shape), 0, -1) - np.array(sr.voxels.shape) / 2, axis=-1)
    write_volume(Volume((away < 4).astype(np.uint8), sr.geometry), folder / "mask.nii.gz")
    write_volume(Volume(sr.voxels / 50, sr.geometry), folder / "uncertainty.nii.gz")
    record = {
        "input": {"file": "/home/somebody/Jane_Doe.nii.gz"},
        "model": {"name": "clinic", "file": "/home/somebody/clinic.zip"},
        "settings": {"quality": "fast", "precision": "bf16"},
        "report": {"outside": ["noise 0.2 (learnt up to 0.1)"]},
    }
    (folder / "a.json").write_text(json.dumps(record))
    files = CaseFiles(
        "a",
        case["sr"],
        case["lr"],
        case["hr"],
        folder / "uncertainty.nii.gz",
        folder / "mask.nii.gz",
        folder / "a.json",
    )
    return report_case(files, "k", 1e9)


def test_all_that_is_there_is_shown(report):
    layers = [layer["id"] for layer in report.scene.values["layers"]]
    assert layers == ["lr", "tricubic", "sr", "hr", "sr-tricubic", "sr-hr", "uncertainty", "doubt", "contradiction"]
    assert [label for label, _ in report.thumbnails] == ["LR, axial", "SR, axial", "HR, axial"]
    assert len(report.charts) == 4
    names = [name for name, _, _ in report.facts]
    assert {"model", "PSNR", "consistency", "true resolution", "point spread of the LR"} <= set(names)
    assert set(report.numbers) == {"PSNR", "SSIM", "consistency", "shift", "gain", "doubted"}


def test_what_prediction_wrote_is_told_without_its_paths(report):
    said = json.dumps([report.facts, report.warnings, report.scene.values])
    assert "clinic, quality fast, bf16" in said and "learnt up to 0.1" in report.warnings[0]
    assert "somebody" not in said and "Jane" not in said


def test_the_lesion_has_a_row_with_its_contrast_in_each_image(report):
    head, row = report.lesions
    assert head[2:5] == ("contrast LR", "contrast SR", "contrast HR") and len(row) == len(head)
    assert float(row[1]) > 100


def test_the_sr_of_another_run_says_up_to_where_they_agree(case):
    shown = report_case(CaseFiles("a", case["sr"], case["lr"], other=case["hr"]), "k", 1e9)
    (fact,) = (value for name, value, _ in shown.facts if name == "two runs agree to")
    assert fact.endswith(" mm") and fact.count("×") == 2
    assert "Fourier ring correlation" in shown.charts[-1] and "1/7" in shown.charts[-1]


def test_without_lr_and_hr_there_is_still_a_page(case):
    report = report_case(CaseFiles("a", case["sr"]), "k", 1e9)
    assert report.warnings == () and report.numbers == {}
    assert [layer["id"] for layer in report.scene.values["layers"]] == ["sr"]


def test_an_hr_on_another_grid_is_shown_and_not_scored(case, caplog):
    with caplog.at_level(logging.CRITICAL):
        report = report_case(CaseFiles("a", case["sr"], None, case["lr"]), "k", 1e9)
    assert "another grid" in report.warnings[0] and "PSNR" not in report.numbers


def test_scores_that_are_known_are_not_found_again(case):
    known = dict.fromkeys(("psnr_db", "foreground_psnr_db", "ssim_2d", "shift_voxels"), 0.0) | {"gain": 1.0}
    known |= {f"spectrum_{band}_db": 0.0 for band in ("low", "middle", "high")}
    report = report_case(CaseFiles("a", case["sr"], None, case["hr"]), "k", 1e9, {**known, "psnr_db": 12.5})
    assert report.numbers["PSNR"] == 12.5
