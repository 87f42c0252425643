import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udeansr.batches.loader import slab_batches
from udeansr.degradation.kspace import SHIFTED, truncate_kspace
from udeansr.degradation.misalignment import Misalignment, misalign
from udeansr.degradation.registration import RigidMotion
from udeansr.degradation.simulated_scan import Recipe
from udeansr.degradation.simulation import simulate
from udeansr.degradation.subjects import Counts
from udeansr.errors import UdeansrError
from udeansr.image.cropping import foreground_mask
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import same_grid, sr_geometry
from udeansr.image.volume import Volume
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.planning.raw_dataset import load_raw_dataset
from udeansr.preprocessing import pairing
from udeansr.preprocessing.pairing import pair_cases
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase, PreprocessedDataset
from udeansr.preprocessing.preprocessor import preprocess

MOTION = Misalignment(2.0, -1.5, 1.6, -1.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "preprocessed" / "Dataset007_Blobs"


@pytest.fixture
def prepare(raw_folder: Path, folder: Path, plan: Plan) -> Callable[..., PreprocessedDataset]:
    """Preprocess the raw dataset as it lies there."""

    def prepare(plan: Plan = plan) -> PreprocessedDataset:
        preprocess(load_raw_dataset(raw_folder), plan, "x2x2x2", folder, 1)
        return PreprocessedDataset.open(folder, plan.configuration("x2x2x2"))

    return prepare


@pytest.fixture
def pair(prepare, plan: Plan) -> Callable[..., tuple[PreprocessedCase, ...]]:
    """The pairs of the raw dataset as it lies there."""

    def pair(plan: Plan = plan, **options) -> tuple[PreprocessedCase, ...]:
        dataset = prepare(plan)
        cases = dataset.cases("sourceHR"), dataset.cases("targetLR")
        return pair_cases(dataset, *cases, plan.configuration("x2x2x2"), **options)

    return pair


@pytest.fixture
def add_subject(raw_folder: Path, blobs) -> Callable[..., Volume]:
    """Add a subject of both groups; returns the HR before it moved."""

    def add(name: str = "paul", seed: int = 11, motion: Misalignment | None = None, lr_of: Callable = lambda lr: lr):
        hr = blobs.hr(seed)
        write_volume(misalign(hr, motion) if motion else hr, raw_folder / f"sourceHR/{name}.nii.gz")
        write_volume(lr_of(blobs.lr(hr)), raw_folder / f"targetLR/{name}.nii.gz")
        return hr

    return add


def made_at(cases: tuple[PreprocessedCase, ...]) -> dict[str, int]:
    return {case.name: (case.folder / "voxels.npy").stat().st_mtime_ns for case in cases}


def misfit(case: PreprocessedCase, configuration: Configuration) -> float:
    """How far the HR of a pair, truncated, is from its LR."""
    return float(np.abs(truncate_kspace(np.array(case.voxels), configuration.task.factors) - case.degraded).mean())


def test_a_pair_is_hr_on_the_grid_and_level_of_its_lr(pair, add_subject, prepare, configuration) -> None:
    add_subject()
    (case,) = pair()
    (lr,) = [one for one in prepare().cases("targetLR") if one.name == "paul"]
    assert (case.name, case.group, case.noise) == ("paul", "sourceHR", 0.0)
    assert case.folder == lr.folder.parents[1] / "pairs" / "paul"
    np.testing.assert_array_equal(case.degraded, lr.voxels)
    assert same_grid(case.geometry, sr_geometry(lr.geometry, configuration.task.factors))
    np.testing.assert_allclose(truncate_kspace(np.array(case.voxels), configuration.task.factors), lr.voxels, atol=2e-3)
    inside = np.array(case.voxels)[tuple(case.foreground.T)]
    assert len(case.foreground) > 100 and inside.min() > 0.05


def test_hr_of_another_unit_comes_to_the_level_of_its_lr(pair, add_subject, configuration, raw_folder) -> None:
    add_subject(lr_of=lambda lr: Volume(7 * lr.voxels, lr.geometry))
    (case,) = pair()
    assert misfit(case, configuration) < 1e-3
    # What the record calls level takes the voxels back to the unit of the HR file.
    assert float(case.voxels.max()) * case.level == pytest.approx(
        float(read_volume(raw_folder / "sourceHR/paul.nii.gz").voxels.max()), rel=0.01
    )


def test_a_registered_pair_is_closer_to_its_lr(pair, add_subject, configuration) -> None:
    add_subject(motion=MOTION)
    (still,), (moved,) = pair(), pair(register=True)
    assert moved.folder.parent.name == "pairs_registered"
    assert misfit(moved, configuration) < 0.3 * misfit(still, configuration)
    assert not any(json.loads((still.folder / "case.json").read_text())["motion"]["translation_mm"])
    assert any(json.loads((moved.folder / "case.json").read_text())["motion"]["translation_mm"])


def test_pairs_of_a_misaligned_simulation_are_closer_to_their_lr_registered(tmp_path, plan, configuration) -> None:
    """The cohort of the example, made misaligned: shrunk as well, which registration leaves."""
    example = Path(__file__).parents[2] / "udeansr_raw_example/Dataset001_BrainT1w/sourceHR"
    raw = tmp_path / "raw" / "Dataset002_Moved"
    simulate(example, raw, Recipe(configuration.task.factors, SHIFTED, "misaligned", seed=1), Counts(None, 2, 0, 0))
    plan = replace(plan, lr_gain=1.0)
    preprocess(load_raw_dataset(raw), plan, "x2x2x2", tmp_path / "preprocessed", 1)
    dataset = PreprocessedDataset.open(tmp_path / "preprocessed", configuration)
    cases = dataset.cases("sourceHR"), dataset.cases("targetLR")
    still, moved = (pair_cases(dataset, *cases, configuration, register=register) for register in (False, True))
    assert len(still) == len(moved) == 2
    for one, other in zip(still, moved, strict=True):
        assert misfit(other, configuration) < 0.8 * misfit(one, configuration)
    # Both files have one unit; the percentiles that each was divided by tell it less well.
    units = [case.level / lr.level for case, lr in zip(moved, cases[1], strict=True)]
    np.testing.assert_allclose(units, 1, atol=0.02)


def test_pairs_are_drawn_as_pairs(pair, add_subject, configuration, prepare) -> None:
    """The loader, which knows nothing of pairs, gives HR slabs and the LR of the same place."""
    add_subject()
    cases = pair()
    batches = slab_batches(
        cases, prepare().cases("targetLR"), configuration, seed=0, first=0, count=4, augment=True, degraded=True
    )
    for batch in batches:
        assert batch.degraded is not None
        b, slices, y, x = batch.degraded.shape
        pooled = batch.hr.reshape(b, slices, 2, y, 2, x, 2).mean((2, 4, 6))
        assert float((pooled - batch.degraded).abs().max()) < 0.1 < float(pooled.std()) * 4


def test_where_hr_ends_its_border_is_repeated_and_not_drawn(pair, add_subject, raw_folder, configuration) -> None:
    """HR that lacks half of the head: the pair is cut to what both show, but for a patch."""
    hr = add_subject()
    half = hr.geometry.shape[2] // 2
    cut = Volume(hr.voxels[..., :half], replace(hr.geometry, shape=(*hr.geometry.shape[:2], half)))
    write_volume(cut, raw_folder / "sourceHR/paul.nii.gz")
    (case,) = pair()
    last_mm = cut.geometry.world_mm(np.asarray(cut.geometry.shape) - 0.5)[0]
    drawn_mm = case.geometry.world_mm(np.array(case.foreground))[:, 0]
    assert drawn_mm.max() <= last_mm
    assert case.geometry.world_mm(np.asarray(case.geometry.shape) - 1)[0] < last_mm + 2
    assert foreground_mask(np.array(case.voxels))[tuple(case.foreground.T)].all()
    assert case.degraded.shape[2] >= configuration.size.patch_size[1]
    assert case.voxels.shape == tuple(2 * n for n in case.degraded.shape)


def test_made_once_and_again_when_what_it_came_from_changed(
    pair, add_subject, raw_folder, blobs, plan, changed, caplog
) -> None:
    add_subject("paul", 11)
    add_subject("quin", 12)
    with caplog.at_level(logging.INFO):
        first = made_at(pair())
    assert set(first) == {"paul", "quin"}
    assert "2 pairs of HR and LR of equal name, 2 of them made now" in caplog.messages
    assert "2 of 4 sourceHR and 2 of 4 targetLR have no partner of their name and are left out of the pairs" in (
        caplog.messages
    )
    assert made_at(pair()) == first
    write_volume(blobs.lr(blobs.hr(13)), raw_folder / "targetLR/paul.nii.gz")
    hr = blobs.hr(13)
    write_volume(hr, raw_folder / "sourceHR/paul.nii.gz")
    second = made_at(pair())
    assert second["paul"] != first["paul"] and second["quin"] == first["quin"]
    third = made_at(pair(replace(plan, lr_gain=1.5)))
    assert not set(third.values()) & set(second.values())


def test_one_that_is_not_whole_is_made_again(pair, add_subject) -> None:
    add_subject()
    (case,) = pair()
    whole = np.array(case.voxels)
    (case.folder / "case.json").unlink()
    (case.folder / "voxels.npy").write_bytes(b"")
    (again,) = pair()
    np.testing.assert_array_equal(again.voxels, whole)


def test_workers_make_the_same_pairs(pair, add_subject) -> None:
    add_subject("paul", 11, MOTION)
    add_subject("quin", 12, MOTION)
    alone = [np.array(case.voxels) for case in pair(register=True)]
    for case in pair(register=True):
        (case.folder / "case.json").unlink()
    for voxels, case in zip(alone, pair(register=True, processes=2), strict=True):
        np.testing.assert_array_equal(case.voxels, voxels)


def test_no_pair_at_all_is_told(pair) -> None:
    with pytest.raises(UdeansrError) as caught:
        pair()
    assert str(caught.value) == (
        "Dataset007_Blobs: none of 2 names of sourceHR to train on is one of the 2 of targetLR; expected LR and HR of "
        "the same subjects under equal names, as udeansr_simulate --pairing misaligned gives them; or pairs made "
        "of HR: --set supervised.pairs=synthetic"
    )


def elsewhere(lr: Volume) -> Volume:
    return Volume(lr.voxels, replace(lr.geometry, origin_mm=(900.0, 0.0, 0.0)))


def test_scans_of_two_places_are_told(pair, add_subject) -> None:
    add_subject(lr_of=elsewhere)
    with pytest.raises(UdeansrError) as caught:
        pair()
    assert str(caught.value) == (
        "paul: its HR of sourceHR and its LR of targetLR have no foreground in one place; expected scans of one "
        "subject that overlap in the world; check their headers"
    )
    with pytest.raises(UdeansrError, match=r"^paul: cannot be registered \(All samples map outside"):
        pair(register=True)


def test_a_motion_that_nobody_makes_is_warned_of(pair, add_subject, caplog, monkeypatch) -> None:
    add_subject()
    found = RigidMotion(rotation_degrees=(0.0, 0.0, 14.0))
    monkeypatch.setattr(pairing, "register_rigidly", lambda moving, fixed: found)
    with caplog.at_level(logging.WARNING):
        pair(register=True)
    assert "paul: a motion of 0 mm and 14 degrees was found; expected at most 20 mm and 10 degrees" in caplog.text
