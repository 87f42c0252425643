import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.grid import same_grid, sr_geometry
from udeansr.image.volume import Volume
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.planning.raw_dataset import RawDataset
from udeansr.preprocessing.preprocessed_dataset import PREPROCESSED_GROUPS, PreprocessedDataset
from udeansr.preprocessing.preprocessor import preprocess


@pytest.fixture
def folder(tmp_path: Path, raw: RawDataset, plan: Plan) -> Path:
    folder = tmp_path / "preprocessed" / "Dataset007_Blobs"
    preprocess(raw, plan, "x2x2x2", folder, 1)
    plan.save(folder / "plans.json")
    return folder


def test_cases_of_each_group_by_name(folder: Path, configuration: Configuration) -> None:
    dataset = PreprocessedDataset.open(folder, configuration)
    names = {group: [case.name for case in dataset.cases(group)] for group in PREPROCESSED_GROUPS}
    assert names == {
        "sourceHR": ["anna", "bert"], "targetLR": ["carl", "dora"], "validationLR": ["emil"], "validationHR": ["emil"],
    }  # fmt: skip
    assert all(case.group == group for group in PREPROCESSED_GROUPS for case in dataset.cases(group))
    with pytest.raises(ValueError, match="no group 'testLR'"):
        dataset.cases("testLR")


def test_without_what_planning_measured_there_is_no_domain(folder: Path, configuration: Configuration) -> None:
    assert PreprocessedDataset.open(folder, configuration).domain() is None


def test_a_case_gives_its_arrays_mapped(folder: Path, configuration: Configuration, plan: Plan) -> None:
    for group in PREPROCESSED_GROUPS:
        for case in PreprocessedDataset.open(folder, configuration).cases(group):
            voxels, foreground = case.voxels, case.foreground
            assert isinstance(voxels, np.memmap) and voxels.dtype == np.float32
            assert voxels.shape == case.geometry.shape
            assert case.geometry.orientation == plan.orientation
            gain = 1 if group == "sourceHR" else plan.lr_gain
            assert case.level == pytest.approx(gain * case.intensity_scale)
            assert foreground.shape[1] == 3 and (voxels[tuple(foreground.T)] > 0.05).all()


def test_a_pair_agrees_on_grid_level_and_place(folder: Path, configuration: Configuration, blobs) -> None:
    dataset = PreprocessedDataset.open(folder, configuration)
    (lr,), (hr,) = dataset.cases("validationLR"), dataset.cases("validationHR")
    assert same_grid(hr.geometry, sr_geometry(lr.geometry, configuration.task.factors))
    assert (hr.level, hr.intensity_scale) == (lr.level, lr.intensity_scale)
    centres = [blobs.centre_mm(Volume(case.voxels, case.geometry)) for case in (lr, hr)]
    assert np.abs(centres[0] - centres[1]).max() < 0.05


def test_a_case_goes_to_a_worker_without_its_arrays(folder: Path, configuration: Configuration) -> None:
    case = PreprocessedDataset.open(folder, configuration).cases("sourceHR")[0]
    sent = pickle.dumps(case)
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).voxels, case.voxels)


def test_what_is_not_preprocessed_is_said(tmp_path: Path, configuration: Configuration) -> None:
    missing = tmp_path / "Dataset001_Name"
    with pytest.raises(UdeansrError) as caught:
        PreprocessedDataset.open(missing, configuration)
    assert str(caught.value) == (
        f"{missing / 'x2x2x2'}: preprocessing is missing or not complete; "
        "run udeansr_plan_and_preprocess -d Dataset001_Name"
    )


def test_arrays_of_another_configuration_are_refused(folder: Path, configuration: Configuration) -> None:
    with pytest.raises(UdeansrError) as caught:
        PreprocessedDataset.open(folder, configuration.changed(slab_slices=5))
    assert str(caught.value) == (
        f"{folder / 'x2x2x2'}: the arrays were made with other values than the plan's: slab_slices 3 -> 5; "
        "run udeansr_plan_and_preprocess -d Dataset007_Blobs"
    )


def test_arrays_of_another_plan_are_refused(folder: Path, configuration: Configuration, plan: Plan) -> None:
    replace(plan, lr_gain=1.5).save(folder / "plans.json")
    with pytest.raises(UdeansrError, match=r"x2x2x2: .*lr_gain 1\.25 -> 1\.5; run"):
        PreprocessedDataset.open(folder, configuration)


def test_how_to_train_may_change(folder: Path, configuration: Configuration) -> None:
    PreprocessedDataset.open(folder, configuration.changed(epochs=99, batch_size=7, reasons={"epochs": "more"}))


def test_arrays_serve_without_the_plans_file(folder: Path, configuration: Configuration) -> None:
    (folder / "plans.json").unlink()
    assert PreprocessedDataset.open(folder, configuration).cases("sourceHR")


def test_a_broken_case_is_named(folder: Path, configuration: Configuration) -> None:
    dataset = PreprocessedDataset.open(folder, configuration)
    (folder / "x2x2x2/sourceHR/bert/case.json").write_text("{")
    with pytest.raises(UdeansrError, match="sourceHR/bert: a broken case; delete the folder and run udeansr_plan"):
        dataset.cases("sourceHR")


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_case_that_is_gone_is_missed(folder: Path, configuration: Configuration, whole_folder: bool) -> None:
    dataset = PreprocessedDataset.open(folder, configuration)
    case = folder / "x2x2x2/sourceHR/bert"
    (case / "case.json").unlink()
    if whole_folder:
        shutil.rmtree(case)
    with pytest.raises(UdeansrError, match=r"sourceHR/bert: its case.json is missing, 1 of the 2 cases .* again$"):
        dataset.cases("sourceHR")


def test_the_marker_tells_the_planned_values(folder: Path) -> None:
    marker = json.loads((folder / "x2x2x2/preprocessed.json").read_text())
    decisive = {"scale", "hr_spacing_mm", "slab_slices", "slab_axes", "patch_size", "source_degradation", "contrast"}
    assert marker["cases"]["sourceHR"] == ["anna", "bert"]
    assert set(marker) == {"cases", "format", "orientation", "lr_gain", "degradation"} | decisive


@pytest.mark.parametrize(
    "told", ["[]", '{"cases": 3}', '{"cases": {"sourceHR": "ab"}}', r'{"cases": {"sourceHR": ["a\nb"]}}']
)
def test_a_marker_that_names_no_cases_is_refused(folder: Path, configuration: Configuration, told: str) -> None:
    dataset = PreprocessedDataset.open(folder, configuration)
    (folder / configuration.name / "preprocessed.json").write_text(told)
    with pytest.raises(UdeansrError, match=r"preprocessed.json: .*udeansr_plan_and_preprocess"):
        dataset.cases("sourceHR")


def test_a_marker_that_is_no_object_is_of_other_values(folder: Path, configuration: Configuration) -> None:
    (folder / configuration.name / "preprocessed.json").write_text("[1]")
    with pytest.raises(UdeansrError, match="made with other values"):
        PreprocessedDataset.open(folder, configuration)
