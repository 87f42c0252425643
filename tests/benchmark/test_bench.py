from dataclasses import replace

import pytest

from udeansr.benchmark import bench
from udeansr.benchmark.bench import Benchmark, check, run, scan_names, shared_runs
from udeansr.benchmark.rows import ROWS, choose_rows
from udeansr.degradation.kspace import SHIFTED, TRUNCATION
from udeansr.errors import UdeansrError
from udeansr.training.settings import RunSettings


@pytest.fixture
def wanted(folder, settings, tmp_path):
    rows = choose_rows("tricubic,udean,supervised_truncation,oracle", [])
    options = RunSettings(epochs=2, iterations_per_epoch=3, device="cpu")
    return Benchmark(tmp_path / "hr", folder, settings, ("truncation", "shifted"), rows, "test", options)


@pytest.fixture
def done(monkeypatch, planned, result):
    """Datasets that hold no image, and rows that are done by being written down."""
    noted = []

    def do_row(task, overwrite):
        noted.append((task.dataset.name, task.row.name))
        if task.row.name == "udean":
            raise UdeansrError("a loss is not finite")
        made = replace(result(task.row), dataset=task.dataset.name, identity=task.identity)
        made.save(task.file)
        return made

    monkeypatch.setattr(bench, "prepare_dataset", lambda folder, settings, hr, name, *_: planned(name))
    monkeypatch.setattr(bench, "do_row", do_row)
    return noted


def test_a_row_that_fails_does_not_stop_the_others_and_what_is_done_is_not_done_again(wanted, done):
    outcome = run(wanted)
    assert outcome.failed == ("Dataset001_Truncation udean", "Dataset002_Shifted udean")
    assert len(outcome.done) == 5 and not outcome.there
    done.clear()
    outcome = run(wanted)
    assert len(outcome.there) == 5 and not outcome.done
    assert [row for _, row in done] == ["udean", "udean"]
    done.clear()
    run(replace(wanted, overwrite=True))
    assert len(done) == 7


def test_the_oracle_under_truncation_shows_a_run_of_another_name(wanted, done):
    run(wanted)
    assert ("Dataset001_Truncation", "oracle") not in done and ("Dataset002_Shifted", "oracle") in done
    text = (wanted.folder.root / "benchmark.md").read_text()
    assert text.count("oracle (the run of supervised_truncation)") == 1


def test_a_row_that_another_process_is_at_is_left_to_it(wanted, done):
    with wanted.folder.lock("Dataset002_Shifted.tricubic"):
        outcome = run(wanted)
    assert outcome.elsewhere == ("Dataset002_Shifted tricubic",) and len(outcome.done) == 4
    assert ("Dataset002_Shifted", "tricubic") not in done


def test_rows_that_show_one_run_are_done_once():
    rows = (ROWS["oracle"], ROWS["udean"], ROWS["supervised_truncation"])
    names = [(row.name, [other.name for other in shown]) for row, shown in shared_runs(rows, TRUNCATION)]
    assert names == [("supervised_truncation", ["oracle"]), ("udean", [])]
    assert [len(shown) for _, shown in shared_runs(rows, SHIFTED)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradations": ("blur",)}, "degradation 'blur' is not known; expected truncation or shifted"),
        (
            {"degradations": ()},
            "nothing to do without a row and a degradation; give --rows and --degradations",
        ),
        ({"rows": ()}, "there is nothing to do without a row"),
        ({"people": "source"}, "--people source are none; expected test or validation"),
        ({"options": RunSettings(device="abacus")}, "device 'abacus' is no device"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(wanted, changes, message):
    with pytest.raises(UdeansrError, match=message):
        run(replace(wanted, **changes))
    assert not wanted.folder.root.exists()


def test_people_have_to_be_enough_and_some_to_be_scored(wanted):
    check(wanted)
    with pytest.raises(UdeansrError, match=r"5 people are there, 8 are needed .+ smaller groups with --source"):
        check(replace(wanted, settings=replace(wanted.settings, source=4)))
    with pytest.raises(UdeansrError, match="--validation is 0, so that nobody can be scored; expected at least 1"):
        check(replace(wanted, people="validation", settings=replace(wanted.settings, validation=0)))


def test_the_names_of_scans_are_those_of_a_folder_without_suffixes(tmp_path):
    for name in ("b.nii.gz", "a.mha"):
        (tmp_path / name).touch()
    assert scan_names(tmp_path) == ("a", "b")
