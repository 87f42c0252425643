"""The benchmark in its small form: the example's subjects, four iterations, both degradations, a row of each kind."""

import csv
import logging
import signal
import sys
from pathlib import Path

import pytest

from udeansr.cli.benchmark import main
from udeansr.image.cropping import crop
from udeansr.image.files import read_volume, write_volume
from udeansr.training.trainer import Trainer

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w"
ROWS = ("tricubic", "supervised_truncation", "supervised_measured", "oracle")
GROUPS = ("--source", "2", "--target", "2", "--validation", "1", "--test", "2")
SMALL = ("--scales", "x2x2x2", *GROUPS, "--epochs", "1", "--iterations-per-epoch", "4", "--memory-gb", "0")
TRUNCATION, SHIFTED = "Dataset534_x2x2x2_unpaired_truncation_seed1", "Dataset692_x2x2x2_unpaired_shifted_seed1"
SIDES = (32, 48, 48)
HERE = ("--device", "cpu", "--processes", "1")


@pytest.fixture
def ended(monkeypatch, tmp_path):
    """Runs the command in this process and gives its exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_settings: None)

    def end(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["udeansr_benchmark", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return end


@pytest.fixture
def hr(tmp_path) -> Path:
    """HR of the example's seven subjects that have some, the middle of it."""
    for group in ("sourceHR", "validationHR", "testHR"):
        for path in (EXAMPLE / group).glob("*.nii.gz"):
            volume = read_volume(path)
            start = tuple((n - side) // 2 for n, side in zip(volume.voxels.shape, SIDES, strict=True))
            write_volume(crop(volume, (start, SIDES)), tmp_path / "hr" / path.name)
    return tmp_path / "hr"


@pytest.mark.slow
def test_a_table_that_is_stopped_goes_on_and_is_then_left_alone(hr, ended, monkeypatch, capsys):
    words = ("-i", "hr", "-o", "out", "--rows", ",".join(ROWS), *SMALL, *HERE)
    assert ended(*words, "--dry-run") == 0
    told = capsys.readouterr().out
    assert told.count("4 iterations") == 5 and "5 rows, unknown before planning" in told and not Path("out").exists()

    played = []
    play = Trainer.play

    def play_and_stop(self, batch, iteration):
        played.append(iteration)
        if len(played) == 6:
            signal.raise_signal(signal.SIGINT)
        return play(self, batch, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "play", play_and_stop)
        assert ended(*words) == 130
    assert "udeansr_benchmark: stopped; the same command goes on" in capsys.readouterr().err
    assert ended(*words, "--dry-run") == 0
    left = capsys.readouterr().out.splitlines()
    assert [line.endswith("done") for line in left[:3]] == [True, True, False]
    assert left[2].startswith("x2x2x2 unpaired truncation seed 1: supervised_measured: 2 of 4 iterations, about ")

    assert ended(*words, "--report") == 0
    shown = capsys.readouterr().out
    assert "5 rows done, 2 were there already" in shown and shown.endswith("page: out/benchmark.html\n")
    assert "errors" in Path("out/benchmark.html").read_text(encoding="utf-8")
    assert "oracle (the run of supervised_truncation)" in shown
    with Path("out/benchmark.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for dataset in (TRUNCATION, SHIFTED):
        assert tuple(row["row"] for row in rows if row["dataset"] == dataset) == ROWS
    for row in rows:
        costs = {name: value for name, value in row.items() if name in ("iterations", "seconds", "weights")}
        absent = {name for name, value in row.items() if value == ""} - {"same_as"}
        free = {"psnr_db_less_supervised_measured"} if row["row"] == "supervised_measured" else set()
        assert absent == free | (set(costs) if row["row"] == "tricubic" else set()), row
        assert row["row"] == "tricubic" or row["iterations"] == "4"
    assert Path("out/benchmark.md").read_text(encoding="utf-8") in shown

    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.*") if path.suffix in (".json", ".pt")}
    assert ended(*words) == 0
    told = capsys.readouterr().out
    assert "0 rows done, 7 were there already" in told and "figures:" not in told
    assert before == {path: path.stat().st_mtime_ns for path in before}

    with monkeypatch.context() as patch:
        patch.setattr("udeansr.figures.all_figures.write_figures", lambda *_: [])
        assert ended(*words, "--rows", "sinc", "--split", "validation", "--degradations", "shifted") == 0
    assert f"{SHIFTED}, validation subjects" in capsys.readouterr().out
    assert ended(*words[:-2], "--test", "1") == 2
    assert "made with other options: --test 2 -> 1" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dataset_that_is_there_is_taken_as_it_is(ended, capsys):
    words = ("-i", str(EXAMPLE), "-o", "out", "--rows", "tricubic,oracle", "--memory-gb", "0", *HERE)
    assert ended(*words, "--scales", "x2x2x1") == 2
    assert "Dataset001_BrainT1w: is of x2x2x2, --scales says x2x2x1; give --scales x2x2x2" in capsys.readouterr().err
    assert ended(*words, "--scales", "x2x2x2", "--epochs", "1", "--iterations-per-epoch", "1") == 2
    assert "made with other options: --epochs left out -> 1" in capsys.readouterr().err
    assert ended(*words, "--scales", "x2x2x2", "--rows", "tricubic") == 0
    assert "1 rows done" in capsys.readouterr().out
    with Path("out/table2.csv").open(encoding="utf-8") as file:
        (one, _) = csv.DictReader(file)
    assert (one["row"], one["scale"], one["pairing"]) == ("tricubic", "x2x2x2", "unpaired")
    assert ended(*words, "--scales", "x2x2x2", "--pairings", "misaligned") == 2
    assert "is a dataset and is taken as it is; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rows", "udaen"), "there is no row 'udaen'; rows: tricubic"),
        (("--row", "mine"), "--row 'mine' is no row; expected NAME=METHOD"),
        (("--test", "9"), "7 subjects are there, 14 are needed"),
        (("--degradations", "blur"), "degradation 'blur' is not known"),
        (("--split", "source"), "--split source: there is no such split"),
        (("--pairings", "paired"), "pairing 'paired' is not known"),
        (("--seeds", "one"), "seed 'one' is none"),
        (("--scales", "2"), "scale '2' is not a scale"),
        (("--num-parts", "2", "--part-id", "2"), "--part-id is 2; expected 0 to 1"),
        (("--merge", "gone"), "--merge gone: holds no benchmark"),
        (("--budget-seconds", "60"), "--epochs: with --budget-seconds the seconds say how long"),
        (("--epochs", "0"), "the options: 'epochs' is 0; expected at least 1"),
        (("-i", "gone"), "gone: no such file or folder"),
        (("-o", "hr"), "hr: holds something else than a benchmark"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2_and_leaves_nothing(ended, capsys, tmp_path, words, message):
    (tmp_path / "hr").mkdir()
    for case in range(7):
        (tmp_path / "hr" / f"sub-{case}.nii.gz").touch()
    before = set(tmp_path.rglob("*"))
    assert ended("-i", "hr", "-o", "out", *SMALL, *HERE, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"udeansr_benchmark: {message}")
    assert set(tmp_path.rglob("*")) == before


def test_rows_that_failed_are_named_at_the_end(ended, capsys, tmp_path, monkeypatch):
    from udeansr.benchmark import bench, tables
    from udeansr.figures import all_figures

    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "sub-1.nii.gz").touch()
    outcome = bench.Outcome(("a udean",), (), ("a sinc",), ("a oracle",))
    monkeypatch.setattr(bench, "run", lambda _: outcome)
    monkeypatch.setattr(tables, "write_tables", lambda _: "the table")
    monkeypatch.setattr(all_figures, "write_figures", lambda *_: [Path("out/figures/a/errors.png")])
    assert ended("-i", "hr", "-o", "out", *SMALL, *HERE) == 2
    told = capsys.readouterr()
    assert (
        "the table" in told.out
        and "figures: 1 in out/figures/a\n" in told.out
        and "left to another process: a sinc" in told.out
    )
    assert told.err == "udeansr_benchmark: not done, for the reasons above: a oracle\n"


def test_figures_of_a_call_that_was_killed_are_drawn_by_the_next(ended, capsys, tmp_path, monkeypatch):
    from udeansr.benchmark import bench, tables
    from udeansr.figures import all_figures

    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "sub-1.nii.gz").touch()
    row = tmp_path / "out" / "rows" / "a" / "test" / "udean.json"
    row.parent.mkdir(parents=True)
    row.touch()
    monkeypatch.setattr(bench, "run", lambda _: bench.Outcome((), ("a udean",), (), ()))
    monkeypatch.setattr(tables, "write_tables", lambda _: "the table")

    def draw(folder, _split):
        (folder.root / "figures").mkdir()
        (folder.root / "figures" / "captions.md").touch()
        return [Path("out/figures/a/errors.png")]

    monkeypatch.setattr(all_figures, "write_figures", draw)
    assert ended("-i", "hr", "-o", "out", *SMALL, *HERE) == 0
    assert "figures: 1 in out/figures/a\n" in capsys.readouterr().out
    assert ended("-i", "hr", "-o", "out", *SMALL, *HERE) == 0
    assert "figures:" not in capsys.readouterr().out
