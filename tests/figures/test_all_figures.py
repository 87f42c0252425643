"""A finished benchmark of tiny images and untrained networks, drawn."""

import logging
import os
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from udeansr.benchmark.folder import BenchmarkFolder
from udeansr.benchmark.row_result import METRICS, RowIdentity, RowResult, Training
from udeansr.benchmark.rows import ROWS
from udeansr.benchmark.scenario import Scenario
from udeansr.errors import UdeansrError
from udeansr.figures.all_figures import are_drawn, median_case, write_figures
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale, lr_geometry
from udeansr.image.volume import Geometry, Volume
from udeansr.methods import build_method, parse_settings
from udeansr.planning.plan import Plan
from udeansr.training.checkpoint import save_checkpoint

GRID = Geometry((8, 48, 40), (3.0, 1.0, 1.0))
VIEWS = ("axial", "coronal", "sagittal")
DATASET = "Dataset009_Tiny"


def head(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    voxels = np.zeros(GRID.shape, np.float32)
    voxels[1:7, 6:42, 5:35] = 100 + 80 * rng.random((6, 36, 30))
    return voxels


@pytest.fixture
def folder(tmp_path):
    return BenchmarkFolder(tmp_path / "out")


def result(row: str, training: bool) -> RowResult:
    """A finished row of two subjects, of whom the second has 1 more of everything."""
    one = {**dict.fromkeys(METRICS, 0.0), "psnr_db": 30.0, "ssim_2d": 0.9}
    other = {key: score + 1 for key, score in one.items()}
    cost = Training(6000, 61.4, 341_200, "best", "cpu", "fp32") if training else None
    subjects = {"source": ["sub-1"], "target": ["sub-2"], "validation": ["sub-3"], "test": ["sub-4", "sub-5"]}
    identity = RowIdentity(ROWS[row].method, {}, subjects, "x2x2x1", {}, {})
    scenario = Scenario("x2x2x1", "unpaired", "shifted", 1)
    return RowResult(ROWS[row], DATASET, scenario, "test", identity, cost, 12.3, {"sub-4": one, "sub-5": other})


@pytest.fixture
def filled(folder, tiny_configuration):
    """SR of tricubic, udean and supervised for two subjects; a checkpoint of the latter two."""
    raw = folder.raw(DATASET)
    write_volume(Volume(head(1), GRID), raw / "sourceHR" / "sub-1.nii.gz")
    coarse = lr_geometry(GRID, Scale(1, 2, 2))
    for seed, name in ((4, "sub-4"), (5, "sub-5")):
        hr = head(seed)
        write_volume(Volume(hr, GRID), raw / "testHR" / f"{name}.nii.gz")
        write_volume(Volume(hr[:, ::2, ::2].copy(), coarse), raw / "testLR" / f"{name}.nii.gz")
        for number, row in enumerate(("tricubic", "supervised_measured", "udean")):
            write_volume(Volume(hr + 5 * number + 5, GRID), folder.sr(DATASET, "test", row) / f"{name}.nii.gz")
    configuration = tiny_configuration("x2x2x1", lr_spacing_mm=(3.0, 2.0, 2.0), patch_size=(16, 16))
    plan = Plan(DATASET, "SPL", 1.0, {"x2x2x1": configuration})
    for row in ("tricubic", "supervised_measured", "udean"):
        made = result(row, training=row != "tricubic")
        made.save(folder.row_file(DATASET, "test", row))
        if row == "tricubic":
            continue
        settings = parse_settings(made.row.method, [])
        torch.manual_seed(6)
        weights = build_method(made.row.method, configuration, settings).state_dict()
        empty = {name: {} for name in ("run", "averaged", "optimizers", "scaler", "schedule", "random", "progress")}
        path = folder.training(DATASET, "x2x2x1", row) / "best.pt"
        path.parent.mkdir(parents=True)
        names = {"plan": plan.as_dict(), "configuration": "x2x2x1", "method": made.row.method}
        save_checkpoint(path, {**names, "settings": asdict(settings), "weights": weights, **empty})
    return folder


def names(paths):
    return [path.name for path in paths]


def test_all_figures_are_drawn_of_the_median_subject_and_told_of(filled):
    written = write_figures(filled)
    place = filled.root / "figures" / DATASET
    assert names(written) == [*(f"errors_{view}_sub-4.png" for view in VIEWS), "features_udean_sub-4.png"]
    assert {path.parent for path in written} == {place}
    captions = (filled.root / "figures" / "captions.md").read_text(encoding="utf-8")
    assert all(f"]({DATASET}/{path.name})" in captions for path in written)
    assert f"sub-4 of {DATASET}, axial slice" in captions and f"UDEAN, {DATASET}" in captions


def test_whether_they_are_drawn_is_known(filled, tmp_path):
    assert not are_drawn(filled, "test") and are_drawn(filled, "validation")
    captions = filled.root / "figures" / "captions.md"
    captions.parent.mkdir()
    captions.touch()
    assert are_drawn(filled, "test")
    (row, *_) = filled.row_files("test")
    later = captions.stat().st_mtime + 1
    os.utime(row, (later, later))
    assert not are_drawn(filled, "test")


def test_another_subject_and_chosen_rows_stand_beside_what_was_drawn_before(filled):
    write_figures(filled, rows="udean")
    written = write_figures(filled, case="sub-5", rows="tricubic,udean")
    assert names(written)[-1] == "features_udean_sub-5.png"
    captions = (filled.root / "figures" / "captions.md").read_text(encoding="utf-8")
    assert "features_udean_sub-4.png" in captions and "features_udean_sub-5.png" in captions


def test_rows_without_sr_or_checkpoint_are_left_out_with_a_line(filled, caplog):
    (filled.sr(DATASET, "test", "tricubic") / "sub-4.nii.gz").unlink()
    shifted = replace(GRID, origin_mm=(5.0, 0.0, 0.0))
    write_volume(Volume(head(4), shifted), filled.sr(DATASET, "test", "supervised_measured") / "sub-4.nii.gz")
    (filled.training(DATASET, "x2x2x1", "udean") / "best.pt").unlink()
    with caplog.at_level(logging.WARNING):
        written = write_figures(filled)
    assert names(written) == [f"errors_{view}_sub-4.png" for view in VIEWS]
    told = [record.getMessage() for record in caplog.records]
    assert told[0].startswith(f"{DATASET} tricubic: left out of the error figures: ") and "no image of sub-4" in told[0]
    assert "supervised_measured" in told[1] and "lies on another grid than its HR: 5 mm apart" in told[1]
    assert told[2].startswith(f"{DATASET} udean: no figure of its networks: ")


def test_an_oracle_that_shows_another_rows_run_takes_its_sr(filled):
    shown = replace(result("oracle", True), same_as="tricubic")
    shown.save(filled.row_file(DATASET, "test", "oracle"))
    assert names(write_figures(filled, rows="oracle")) == [f"errors_{view}_sub-4.png" for view in VIEWS]


def test_the_median_subject_is_by_the_default_the_lower_of_two():
    scored = [{"psnr_db": value} for value in (31.0, 29.0, 33.0, 30.0)]
    default = replace(result("supervised_measured", True), cases=dict(zip("abcd", scored, strict=True)))
    other = replace(result("tricubic", False), cases={name: {"psnr_db": 0.0} for name in "abcd"})
    assert median_case([default, other]) == "d"
    assert median_case([other]) == "b"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "validation"}, "out: no finished row of validation subjects; expected the folder of a benchmark"),
        ({"case": "sub-9"}, f"{DATASET}: no scan 'sub-9' among its test subjects; expected one of sub-4, sub-5"),
        ({"rows": "udaen"}, "there is no finished row 'udaen'; finished: tricubic, supervised_measured, udean; groups"),
    ],
)
def test_a_users_mistake_is_told_and_draws_nothing(filled, given, message):
    with pytest.raises(UdeansrError, match=message):
        write_figures(filled, **given)
    assert not (filled.root / "figures").exists()


def test_hr_without_an_image_is_told_of(filled):
    write_volume(Volume(np.zeros(GRID.shape, np.float32), GRID), filled.raw(DATASET) / "testHR" / "sub-4.nii.gz")
    with pytest.raises(UdeansrError, match=r"sub-4\.nii\.gz: no voxel is positive; expected a magnitude image"):
        write_figures(filled)
