import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from udeansr.benchmark.bench import Benchmark, check, scan_names
from udeansr.benchmark.dataset import (
    check_scored,
    given_scans,
    given_scenario,
    is_dataset,
    read_dataset,
    subjects_of,
    with_variants,
)
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.rows import choose_rows
from udeansr.benchmark.scenario import left_out, shared_runs
from udeansr.degradation.kspace import SHIFTED, TRUNCATION, Degradation
from udeansr.errors import UdeansrError
from udeansr.planning.plan import Plan
from udeansr.planning.raw_dataset import load_raw_dataset
from udeansr.training.settings import RunSettings

SCANS = {
    "sourceHR": ("sub-1_T1w", "sub-2_T1w"),
    "targetLR": ("sub-3_T1w", "sub-3_T2w"),
    "testLR": ("sub-4_T1w",),
    "testHR": ("sub-4_T1w",),
}


@pytest.fixture
def raw(tmp_path) -> Path:
    """A raw dataset of empty files."""
    folder = tmp_path / "Dataset007_Given"
    for group, names in SCANS.items():
        (folder / group).mkdir(parents=True)
        for name in names:
            (folder / group / f"{name}.nii.gz").touch()
    return folder


@pytest.mark.parametrize("told", ["[]", "{}", '{"degradation": 3}', '{"degradation": {"noise": -1}}'])
def test_a_simulation_that_tells_no_degradation_is_refused(tmp_path, told):
    for group in ("sourceHR", "targetLR", "testHR", "testLR"):
        (tmp_path / "Dataset007_Given" / group).mkdir(parents=True)
        (tmp_path / "Dataset007_Given" / group / "a.nii.gz").touch()
    (tmp_path / "Dataset007_Given" / "simulation.json").write_text(told)
    with pytest.raises(UdeansrError, match=r"simulation.json: "):
        given_scenario(tmp_path / "Dataset007_Given", "x2x2x2", "1")


def write_simulation(raw: Path, degradation: Degradation) -> None:
    (raw / "simulation.json").write_text(json.dumps({"degradation": asdict(degradation)}))


def test_it_is_known_by_its_folders_and_its_scans_by_theirs(raw, tmp_path):
    assert is_dataset(raw) and not is_dataset(tmp_path)
    assert given_scans(raw) == scan_names(raw)
    assert scan_names(raw)[:2] == ("sourceHR/sub-1_T1w", "sourceHR/sub-2_T1w") and len(scan_names(raw)) == 6
    assert subjects_of(load_raw_dataset(raw)) == {
        "source": ["sub-1", "sub-2"], "target": ["sub-3"], "validation": [], "test": ["sub-4"]
    }  # fmt: skip


def test_a_degradation_that_was_told_is_the_truth_and_else_nobody_knows_it(raw):
    unknown = given_scenario(raw, "2x2x1", "3")
    assert (unknown.dataset, unknown.scale, unknown.seed) == ("Dataset007_Given", "x2x2x1", 3)
    assert unknown.degradation == "unknown" and unknown.true_degradation is None
    write_simulation(raw, SHIFTED)
    assert given_scenario(raw, "x2x2x1", "3").degradation == "shifted"
    write_simulation(raw, replace(SHIFTED, noise=0.02))
    own = given_scenario(raw, "x2x2x1", "3")
    assert own.degradation == "other" and own.true_degradation == replace(SHIFTED, noise=0.02)


def test_it_is_misaligned_where_subjects_are_in_both_groups(raw):
    assert given_scenario(raw, "x2x2x1", "1").pairing == "unpaired"
    (raw / "targetLR" / "sub-1_T1w.nii.gz").touch()
    assert given_scenario(raw, "x2x2x1", "1").pairing == "misaligned"


def test_rows_that_need_the_truth_are_left_out_where_nobody_knows_it(raw):
    rows = choose_rows("udean,oracle,supervised_truncation,supervised_paired", [])
    scenario = given_scenario(raw, "x2x2x1", "1")
    assert [row.name for row, _ in shared_runs(rows, scenario)] == ["udean", "supervised_truncation"]
    assert left_out(rows, scenario) == (
        "oracle: left out, as Dataset007_Given has no simulation.json that tells the true degradation; "
        "supervised_paired: left out, as LR and HR are of different subjects; --pairings misaligned has pairs"
    )
    write_simulation(raw, SHIFTED)
    assert "oracle" in [row.name for row, _ in shared_runs(rows, given_scenario(raw, "x2x2x1", "1"))]


def test_a_result_keeps_it(raw, result, tmp_path):
    write_simulation(raw, SHIFTED)
    made = result(scenario=given_scenario(raw, "x2x2x1", "1"))
    made.save(tmp_path / "row.json")
    assert RowResult.load(tmp_path / "row.json") == made


def test_what_cannot_be_is_told(raw, folder, settings):
    with pytest.raises(UdeansrError, match="seed '1,2' is none; expected one whole number"):
        given_scenario(raw, "x2x2x1", "1,2")
    with pytest.raises(
        UdeansrError, match="has no pairs in validationLR and validationHR, so that nobody can be scored"
    ):
        check_scored(raw, "validation")
    scenarios = (given_scenario(raw, "x2x2x1", "1"),)
    options = RunSettings(device="cpu")
    wanted = Benchmark(raw, folder, settings, scenarios, choose_rows("udean", []), "test", options)
    with pytest.raises(UdeansrError, match=r"--source: .+ is a dataset and has its subjects; leave it out"):
        check(wanted)
    check(replace(wanted, settings=replace(settings, source=None, target=None, validation=None, test=None)))


def test_each_source_degradation_has_a_configuration_that_differs_in_it_alone(planned):
    dataset = planned("shifted")
    base = dataset.configuration("measured")
    for word, value in (("measured", "measured"), ("truncation", "truncation"), ("true", SHIFTED)):
        own = dataset.configuration(word)
        assert own.task.source_degradation == value
        plain = own.changed(name=base.name, inherits_from=None, source_degradation="measured", reasons=base.reasons)
        assert plain == base


def test_of_plain_truncation_there_is_one_variant(planned):
    dataset = planned("truncation")
    assert list(dataset.plan.configurations) == ["x2x2x1", "x2x2x1_truncation", "x2x2x1_randomized"]
    assert dataset.configuration("true") is dataset.configuration("truncation")


def test_a_variant_that_was_edited_is_kept(planned):
    dataset = planned("shifted")
    edited = dataset.configuration("truncation").changed(features=99)
    plan = replace(dataset.plan, configurations=dataset.plan.configurations | {edited.name: edited})
    assert with_variants(plan, SHIFTED).configuration(edited.name).size.features == 99


def test_it_is_read_as_it_lies_there_and_is_none_before_it_is_planned(planned, folder):
    dataset = planned("shifted")
    assert read_dataset(folder, dataset.scenario) == dataset
    assert read_dataset(folder, replace(dataset.scenario, pairing="misaligned")) is None


def test_a_plan_without_variants_gets_them_when_it_is_read(planned, folder):
    dataset = planned("truncation")
    path = dataset.preprocessed / "plans.json"
    bare = replace(dataset.plan, configurations={"x2x2x1": dataset.configuration("measured")})
    bare.save(path)
    found = read_dataset(folder, dataset.scenario)
    assert found and found.configuration("truncation").task.source_degradation == "truncation"
    assert list(Plan.load(path).configurations) == ["x2x2x1"]
    assert with_variants(bare, TRUNCATION).configuration("x2x2x1") == bare.configuration("x2x2x1")
