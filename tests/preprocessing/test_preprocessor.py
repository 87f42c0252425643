import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udeansr.degradation.kspace import Degradation, degrade, truncate_kspace
from udeansr.degradation.measured_degradation import MeasuredDegradation, add_rician_noise
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.errors import UdeansrError
from udeansr.image.cropping import foreground_mask
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Volume
from udeansr.lock import LOCK_FILE, locked
from udeansr.planning.domain import find_domain
from udeansr.planning.plan import Plan
from udeansr.planning.raw_dataset import RawDataset, load_raw_dataset
from udeansr.preprocessing import preprocessor
from udeansr.preprocessing.domain_randomization import SCANNERS
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.preprocessing.preprocessor import draw_foreground, preprocess

CASES = {"sourceHR/anna", "sourceHR/bert", "targetLR/carl", "targetLR/dora", "validationLR/emil", "validationHR/emil"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "preprocessed" / "Dataset007_Blobs"


@pytest.fixture
def run(raw: RawDataset, plan: Plan, folder: Path, caplog: pytest.LogCaptureFixture):
    """Preprocess and say which cases were written, and what was logged last."""

    def run(raw: RawDataset = raw, plan: Plan = plan, processes: int = 1) -> tuple[set[str], str]:
        before = written(folder)
        with caplog.at_level(logging.INFO):
            preprocess(raw, plan, "x2x2x2", folder, processes)
        after = written(folder)
        return {name for name, when in after.items() if before.get(name) != when}, caplog.messages[-1]

    return run


def written(folder: Path) -> dict[str, int]:
    """When the voxels of each case were written, by group/case."""
    own = folder / "x2x2x2"
    return {str(path.parent.relative_to(own)): path.stat().st_mtime_ns for path in own.glob("*/*/voxels.npy")}


def test_all_that_training_needs_is_made_and_test_scans_are_not(run, folder: Path, raw: RawDataset) -> None:
    done, message = run()
    assert done == CASES == set(written(folder))
    assert message == "Dataset007_Blobs x2x2x2: 5 preprocessed, 0 unchanged, 0 removed"
    assert not [path for path in raw.folder.rglob("*") if path.suffix == ".json"]  # nothing is left beside the scans


def test_source_hr_has_its_lr_as_measured_or_truncated(run, plan: Plan, folder: Path, changed) -> None:
    curve = tuple(np.linspace(1, 0.2, 16))
    measured = MeasuredDegradation(tuple((np.arange(16) + 0.5) / 16), (curve,) * 3, (2.0, 2.0, 2.0), 0.05, 1.1, 0.0)
    kept = {}
    for name, other in {
        "measured": replace(plan, degradation=measured),
        "truncation": replace(changed(source_degradation="truncation"), degradation=measured),
        "unmeasured": plan,
    }.items():
        assert run(plan=other)[0] == CASES
        (case,) = [
            one for one in PreprocessedDataset.open(folder, other.configurations["x2x2x2"]).cases("sourceHR")
            if one.name == "anna"
        ]  # fmt: skip
        kept[name] = (np.array(case.degraded), case.noise)
        truncated = truncate_kspace(np.array(case.voxels), Scale(2, 2, 2))
        assert case.degraded.shape == truncated.shape
        assert np.mean(case.degraded) == pytest.approx(np.mean(truncated), rel=1e-3)
    np.testing.assert_array_equal(kept["truncation"][0], truncated)
    np.testing.assert_array_equal(kept["unmeasured"][0], truncated)
    assert np.std(kept["measured"][0]) < 0.98 * np.std(truncated)
    assert kept["measured"][1] == pytest.approx(0.05 / plan.lr_gain)
    assert kept["truncation"][1] == kept["unmeasured"][1] == 0


def test_a_known_degradation_makes_the_lr_that_simulation_makes(run, folder: Path, changed) -> None:
    known = Degradation(apodization=0.4, partial_fourier=0.75, noise=0.01)
    other = changed(source_degradation=known)
    run(plan=other)
    for case in PreprocessedDataset.open(folder, other.configurations["x2x2x2"]).cases("sourceHR"):
        hr = np.array(case.voxels)
        silent = degrade(hr, Scale(2, 2, 2), replace(known, noise=0.0), np.random.default_rng(0))
        np.testing.assert_allclose(case.degraded, silent, atol=1e-6)
        noisy = add_rician_noise(np.array(case.degraded), case.noise, np.random.default_rng(1))
        expected = degrade(hr, Scale(2, 2, 2), known, np.random.default_rng(2))
        assert np.std(noisy - silent) == pytest.approx(np.std(expected - silent), rel=0.1)


def test_lr_of_many_scanners_is_kept_with_what_was_measured_of_it(run, folder: Path, changed, blobs) -> None:
    various = changed(source_degradation="randomized")
    with pytest.raises(UdeansrError, match=r"domain.json: there is no domain.*udeansr_plan_and_preprocess"):
        run(plan=various)
    hr = [foreground_spectrum(blobs.hr(seed).voxels, blobs.scale) for seed in (1, 2)]
    domain = find_domain(hr, [foreground_spectrum(blobs.lr(blobs.hr(3)).voxels)], (2.0, 2.0, 2.0), "T1w")
    domain.save(folder / "domain.json")
    run(plan=various)
    dataset = PreprocessedDataset.open(folder, various.configurations["x2x2x2"])
    for case in dataset.cases("sourceHR"):
        coarse = truncate_kspace(np.array(case.voxels), Scale(2, 2, 2))
        assert case.degraded.shape == (SCANNERS, 2, *coarse.shape)
        assert case.noise == 0
    seen = dataset.domain()
    assert seen is not None and seen.log_spectrum == domain.log_spectrum
    assert seen.noise > domain.noise and min(seen.lowest_transfer) < min(domain.lowest_transfer)


def test_a_second_run_does_nothing(run) -> None:
    run()
    assert run() == (set(), "Dataset007_Blobs x2x2x2: 0 preprocessed, 5 unchanged, 0 removed")


@pytest.mark.parametrize(
    ("changed", "redone"),
    [
        ("sourceHR/bert.mha", {"sourceHR/bert"}),
        ("targetLR/carl.nrrd", {"targetLR/carl"}),
        ("validationLR/emil.nii.gz", {"validationLR/emil", "validationHR/emil"}),
        ("validationHR/emil.nii.gz", {"validationLR/emil", "validationHR/emil"}),
        ("testHR/emil.nii.gz", set()),
    ],
)
def test_a_changed_scan_is_done_again_alone(changed: str, redone: set[str], run, raw: RawDataset) -> None:
    run()
    volume = read_volume(raw.folder / changed)
    write_volume(Volume(volume.voxels * np.float32(1.5), volume.geometry), raw.folder / changed)
    assert run()[0] == redone
    assert run()[0] == set()


def test_a_scan_that_only_looks_changed_is_not_done_again(run, raw: RawDataset, folder: Path) -> None:
    run()
    os.utime(raw.folder / "targetLR/carl.nrrd", ns=(5, 5))
    done, message = run()
    assert done == set() and "0 preprocessed, 5 unchanged" in message
    record = json.loads((folder / "x2x2x2/targetLR/carl/case.json").read_text())
    assert record["sources"]["targetLR/carl.nrrd"]["modified_ns"] == 5  # not even read the next time


def test_a_moved_dataset_is_the_same_dataset(run, raw: RawDataset) -> None:
    run()
    moved = raw.folder.parent / "elsewhere" / raw.folder.name
    moved.parent.mkdir()
    raw.folder.rename(moved)
    assert run(load_raw_dataset(moved))[0] == set()


@pytest.mark.parametrize("values", [{"slab_slices": 5}, {"patch_size": (10, 10)}, {"hr_spacing_mm": (1.0, 1.0, 1.1)}])
def test_another_plan_does_all_again(values: dict, run, changed) -> None:
    run()
    assert run(plan=changed(**values))[0] == CASES


def test_values_that_decide_no_array_may_change(run, changed) -> None:
    run()
    assert run(plan=changed(epochs=9, batch_size=7, features=8, reasons={"epochs": "more"}))[0] == set()


def test_arrays_of_a_case_that_left_are_removed_and_nothing_else(run, raw: RawDataset, folder: Path) -> None:
    run()
    (raw.folder / "targetLR/carl.nrrd").unlink()
    (folder / "x2x2x2/sourceHR/anna/notes.txt").write_text("mine")
    done, message = run(load_raw_dataset(raw.folder))
    assert done == set() and message.endswith("0 preprocessed, 4 unchanged, 1 removed")
    assert not (folder / "x2x2x2/targetLR/carl").exists()
    assert (folder / "x2x2x2/sourceHR/anna/notes.txt").exists()


def test_stopped_anywhere_it_goes_on_from_there(run, folder: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = preprocessor.write_case
    made: list[Path] = []

    def stopped(case: Path, *rest) -> None:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(case)
        whole(case, *rest)

    monkeypatch.setattr(preprocessor, "write_case", stopped)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.undo()
    with pytest.raises(UdeansrError, match="missing or not complete"):
        PreprocessedDataset.open(folder, plan.configuration("x2x2x2"))
    done, _ = run()
    assert done == CASES - {str(case.relative_to(folder / "x2x2x2")) for case in made}
    PreprocessedDataset.open(folder, plan.configuration("x2x2x2"))


def test_workers_make_the_same_arrays(run, folder: Path, raw: RawDataset, plan: Plan, tmp_path: Path) -> None:
    run()
    preprocess(raw, plan, "x2x2x2", tmp_path / "by workers", 2)
    for path in (folder / "x2x2x2").rglob("*.npy"):
        twin = tmp_path / "by workers/x2x2x2" / path.relative_to(folder / "x2x2x2")
        assert twin.read_bytes() == path.read_bytes()


def test_a_scan_that_cannot_be_read_is_named(run, raw: RawDataset) -> None:
    (raw.folder / "targetLR/dora.nii").write_bytes(b"no image")
    with pytest.raises(UdeansrError, match=r"targetLR/dora\.nii: cannot be read"):
        run()


@pytest.mark.parametrize(
    ("place", "said"),
    [("x2x2x2/sourceHR/anna", "anna: was removed while the others were made; run"), (".", "Blobs: was removed or")],
)
def test_arrays_that_vanish_meanwhile_are_told_and_it_is_not_complete(
    run, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, said: str
) -> None:
    """As when somebody tidies up, or a disk goes."""
    write_case = preprocessor.write_case

    def removing(case: Path, *parts) -> None:
        write_case(case, *parts)
        if case.name == "carl":
            shutil.rmtree(folder / place)

    with monkeypatch.context() as patch:
        patch.setattr(preprocessor, "write_case", removing)
        with pytest.raises(UdeansrError, match=said), locked(folder / LOCK_FILE):
            run()
    assert not (folder / "x2x2x2" / "preprocessed.json").exists()
    assert "sourceHR/anna" in run()[0]


def test_a_configuration_that_the_plan_lacks_is_refused(raw: RawDataset, plan: Plan, folder: Path) -> None:
    with pytest.raises(UdeansrError, match="has no configuration 'x3x3x3'; its plan has x2x2x2"):
        preprocess(raw, plan, "x3x3x3", folder, 1)


def test_records_say_where_arrays_come_from(run, folder: Path, plan: Plan) -> None:
    run()
    record = json.loads((folder / "x2x2x2/validationHR/emil/case.json").read_text())
    assert set(record["sources"]) == {"validationLR/emil.nii.gz", "validationHR/emil.nii.gz"}
    assert record["plan"]["orientation"] == "SPL" and record["plan"]["lr_gain"] == 1.25
    assert record["level"] == pytest.approx(1.25 * record["intensity_scale"])
    assert len(record["start"]) == 3 and record["cut_from"]["shape"] == [24, 44, 40]


def test_foreground_voxels_are_drawn_once_each_from_the_foreground() -> None:
    voxels = np.zeros((30, 40, 50), np.float32)
    voxels[5:, 3:, 7:] = np.random.default_rng(1).uniform(0.5, 1, (25, 37, 43))
    drawn = draw_foreground(voxels, "anna")
    assert drawn.shape == (10_000, 3) and drawn.dtype == np.int32
    assert len({tuple(index) for index in drawn.tolist()}) == 10_000
    assert foreground_mask(voxels)[tuple(drawn.T)].all()
    # From everywhere: means within a voxel of the middle of the foreground.
    np.testing.assert_allclose(drawn.mean(0), [17, 21, 28], atol=1)
    np.testing.assert_array_equal(drawn, draw_foreground(voxels, "anna"))
    assert not np.array_equal(drawn, draw_foreground(voxels, "bert"))


def test_a_small_foreground_is_taken_whole() -> None:
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[1, 2, 3] = voxels[3, 4, 5] = 1
    assert draw_foreground(voxels, "anna").tolist() == [[1, 2, 3], [3, 4, 5]]
