"""Training where source HR and target LR of equal name are pairs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from udeansr.batches.loader import slab_batches
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale, lr_geometry
from udeansr.image.volume import Geometry
from udeansr.methods import parse_settings
from udeansr.preprocessing.case_folder import CaseRecord, write_case
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.training import loop
from udeansr.training.train import RunSettings, train
from udeansr.training.validation import split_cases

HR = Geometry((16, 32, 32), (1.0, 1.0, 1.0))


@pytest.fixture
def add_subjects(dataset_folder: Path) -> Callable[[int], Path]:
    """Adds subjects of both groups to the dataset, whose cohorts share nobody; returns its folder."""

    def add(count: int) -> Path:
        rng = np.random.default_rng(1)
        for number in range(count):
            hr = 0.5 + 0.1 * rng.standard_normal(HR.shape).astype(np.float32)
            hr[4:12, 8:24, 10:22] += 0.5
            lr = hr.reshape(8, 2, 16, 2, 16, 2).mean((1, 3, 5), dtype=np.float32)
            for group, voxels, geometry in (
                ("sourceHR", hr, HR),
                ("targetLR", lr, lr_geometry(HR, Scale(2, 2, 2))),
            ):
                record = CaseRecord(geometry, 1.0, 1.0)
                folder = dataset_folder / "x2x2x2" / group / f"person_{number}"
                write_case(folder, voxels, np.argwhere(voxels > 0.2), record, lr if group == "sourceHR" else None)
        return dataset_folder

    return add


@pytest.fixture
def learnt_from(plan, tmp_path, monkeypatch) -> Callable[..., list[str]]:
    """Trains supervised with some settings; says of whom the HR slabs were drawn, as folder/name."""

    def run(folder: Path, *assignments: str, mode: str = "new") -> list[str]:
        drawn: list[str] = []

        def watched(hr_cases, lr_cases, *rest, **options):
            assert options["degraded"]
            drawn.extend(f"{case.folder.parent.name}/{case.name}" for case in hr_cases)
            return slab_batches(hr_cases, lr_cases, *rest, **options)

        monkeypatch.setattr(loop, "slab_batches", watched)
        monkeypatch.setattr("udeansr.training.log.draw_progress", lambda history, path: None)
        settings = parse_settings("supervised", list(assignments))
        run_settings = RunSettings(device="cpu", precision="fp32", epochs=1)
        train(folder, plan, "x2x2x2", "supervised", settings, run_settings, tmp_path / "results", mode)
        return drawn

    return run


@pytest.mark.parametrize(
    ("assignment", "drawn"),
    [
        (
            "supervised.pairs=synthetic",
            [f"sourceHR/person_{i}" for i in range(2)] + [f"sourceHR/sourceHR_{i}" for i in range(3)],
        ),
        ("supervised.pairs=real", [f"pairs/person_{i}" for i in range(2)]),
        ("supervised.register=true", [f"pairs_registered/person_{i}" for i in range(2)]),
    ],
)
def test_who_is_learnt_from(assignment, drawn, add_subjects, learnt_from, tmp_path) -> None:
    assert learnt_from(add_subjects(2), assignment) == drawn
    log = (tmp_path / "results/training.log").read_text()
    assert ("2 pairs of HR and LR of equal name" in log) == ("synthetic" not in assignment)
    assert ("3 of 5 sourceHR and 3 of 5 targetLR have no partner" in log) == ("synthetic" not in assignment)


def test_who_validates_is_in_no_pair(dataset_folder, add_subjects, learnt_from, configuration) -> None:
    """Without validation pairs, each cohort gives somebody away: none of these is learnt from, in either group."""
    for group in ("sourceHR", "targetLR", "validationHR", "validationLR"):
        shutil.rmtree(dataset_folder / "x2x2x2" / group)
    drawn = learnt_from(add_subjects(9), "supervised.pairs=real")
    split = split_cases(PreprocessedDataset.open(dataset_folder, configuration), seed=0, limit=2)
    held = {case.name for case in (*split.validation_hr, *split.validation_lr)}
    assert held and not split.paired
    assert {name.removeprefix("pairs/") for name in drawn} == {f"person_{i}" for i in range(9)} - held


def test_nobody_in_both_groups_is_told_before_anything_is_removed(dataset_folder, learnt_from, tmp_path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/latest.pt").touch()
    with pytest.raises(UdeansrError, match=r"Dataset001_Tiny: none of 3 names of sourceHR to train on .* equal names"):
        learnt_from(dataset_folder, "supervised.register=true", mode="overwrite")
    assert (tmp_path / "results/latest.pt").exists()
