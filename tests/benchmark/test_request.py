from dataclasses import replace

import pytest

from udeansr.benchmark.request import Benchmark, check, scan_names
from udeansr.benchmark.rows import choose_rows
from udeansr.benchmark.scenario import scenarios
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings

UNPAIRED, MISALIGNED = scenarios(["x2x2x1"], ["unpaired", "misaligned"], ["truncation"], ["1"])


@pytest.fixture
def wanted(folder, settings, tmp_path):
    options = RunSettings(epochs=2, iterations_per_epoch=3, device="cpu")
    return Benchmark(tmp_path / "hr", folder, settings, (UNPAIRED,), choose_rows("udean", []), "test", options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": ()}, "there is nothing to do without a row; give --rows"),
        ({"people": "source"}, "--people source are none; expected test or validation"),
        ({"options": RunSettings(device="abacus")}, "device 'abacus' is no device"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(wanted, changes, message):
    with pytest.raises(UdeansrError, match=message):
        check(replace(wanted, **changes))
    assert not wanted.folder.root.exists()


def test_people_have_to_be_enough_and_some_to_be_scored(wanted):
    check(wanted)
    with pytest.raises(UdeansrError, match=r"5 people are there, 8 are needed .+ smaller groups with --source"):
        check(replace(wanted, settings=replace(wanted.settings, source=4)))
    check(replace(wanted, settings=replace(wanted.settings, source=4), scenarios=(MISALIGNED,)))
    with pytest.raises(UdeansrError, match="--validation is 0, so that nobody can be scored; expected at least 1"):
        check(replace(wanted, people="validation", settings=replace(wanted.settings, validation=0)))


def test_the_names_of_scans_are_those_of_a_folder_without_suffixes(tmp_path):
    for name in ("b.nii.gz", "a.mha"):
        (tmp_path / name).touch()
    assert scan_names(tmp_path) == ("a", "b")


@pytest.mark.parametrize(
    ("seconds", "options", "added", "message"),
    [
        (0.0, {}, [], "--budget-seconds is 0.0; expected a number above 0"),
        (9.0, {"epochs": 2}, [], "--epochs: with --budget-seconds the seconds say how long it is trained; leave one"),
        (9.0, {}, ["a=udean:run.epochs=2"], "run.epochs of row a: with --budget-seconds the seconds say"),
    ],
)
def test_a_budget_of_seconds_goes_with_no_length(wanted, seconds, options, added, message):
    settings = replace(wanted.settings, budget_seconds=seconds)
    rows = choose_rows("udean", added)
    with pytest.raises(UdeansrError, match=message):
        check(replace(wanted, settings=settings, options=RunSettings(**options, device="cpu"), rows=rows))
    assert not wanted.folder.root.exists()
