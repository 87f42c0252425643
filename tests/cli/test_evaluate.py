import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from udeansr.cli.evaluate import main
from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume

GRID = Geometry((12, 13, 14), (2.0, 1.0, 1.0))


def ended(monkeypatch, *words: object) -> int:
    """Run the command in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["udeansr_evaluate", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("one.nii.gz", "two.nii.gz"):
        hr = (rng.random(GRID.shape) * 500 + 100).astype(np.float32)
        for folder, noise in (("hr", 0), ("sr", 20), ("tricubic", 60)):
            noisy = hr + noise * rng.normal(size=GRID.shape).astype(np.float32)
            write_volume(Volume(noisy, GRID), Path(folder) / name)


def test_folders_are_compared_in_one_table_and_saved(monkeypatch, capsys):
    assert ended(monkeypatch, "-i", "sr/", "-i", "tricubic/", "-r", "hr/", "-o", "scores", "--processes", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("whole volume, 2 images") and lines[-1] == "scores of each image: scores"
    psnr = {line.split()[0]: float(line.split()[1]) for line in lines[1:3]}
    assert psnr["sr"] == pytest.approx(29.5, abs=0.8) and psnr["tricubic"] == pytest.approx(20, abs=0.8)
    summary = json.loads(Path("scores/summary.json").read_text())
    assert [folder["folder"] for folder in summary["folders"]] == ["sr", "tricubic"]
    assert summary["folders"][0]["mean"]["psnr_db"] == pytest.approx(psnr["sr"], abs=0.006)
    with Path("scores/scores.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["one", "two"] * 2


def test_a_page_for_each_folder_shows_the_scores_of_the_table(monkeypatch, capsys):
    words = ("-i", "sr/", "-i", "tricubic/", "-r", "hr/", "-o", "scores", "--processes", 1, "--report")
    assert ended(monkeypatch, *words) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["scores/sr/report.html", "scores/tricubic/report.html"]
    with Path("scores/scores.csv").open() as file:
        psnr = {(row["folder"], row["case"]): float(row["psnr_db"]) for row in csv.DictReader(file)}
    page = Path("scores/sr/report.html").read_text(encoding="utf-8")
    assert f"{psnr['sr', 'one']:.2f} dB" in page and f"{psnr['sr', 'two']:.2f} dB" in page
    assert ended(monkeypatch, "-i", "sr", "-r", "hr", "--report") == 2
    assert "--report needs -o" in capsys.readouterr().err


def test_nothing_is_written_unasked(monkeypatch, tmp_path):
    assert ended(monkeypatch, "-i", "sr", "-r", "hr", "--processes", 1) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hr", "sr", "tricubic"]


def test_slices_can_be_chosen(monkeypatch, capsys):
    shown = []
    for axis in ("axial", "sagittal"):
        assert ended(monkeypatch, "-i", "sr", "-r", "hr", "--processes", 1, "--slice-axis", axis) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] != shown[1]


def test_thick_slices_are_held_against_themselves(monkeypatch, capsys):
    image = np.random.default_rng(1).integers(1, 500, (30, 40, 44)).astype(np.int16)
    write_volume(Volume(image, Geometry(image.shape, (3.0, 1.0, 1.0))), Path("thick/a.nii.gz"))
    quick = ("--set", "self.iterations=2", "--device", "cpu")
    assert ended(monkeypatch, "--in-plane", "-i", "thick", "-o", "out", *quick, "--processes", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["self", "tricubic"] and lines[-1] == "scores of each image: out"
    assert Path("out/summary.json").is_file()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("-i", "sr", "-r", "no"), "no: no such file or folder"),
        (("-i", "sr"), "-r is missing: the HR to score by; without any, --in-plane scores thick slices"),
        (("-i", "sr", "--in-plane"), "--in-plane takes one -i, the scans, and -o, the folder for all that is made"),
        (("-i", "sr", "--in-plane", "-o", "out", "-r", "hr"), "--in-plane takes one -i, the scans, and -o"),
        (("-i", "sr", "-r", "hr", "--device", "cpu"), "--set and --device are of --in-plane, which is not given"),
        (("-i", "sr", "-r", "hr", "--slice-axis", "x"), "slices 'x' are none; expected sagittal, coronal, axial"),
        (("-i", "sr", "-r", "few"), "1 of sr have no image of their name in few: two; expected the same names in both"),
        (("-i", "sr", "-r", "moved"), "sr/one.nii.gz and moved/one.nii.gz lie on different grids: 0.5 mm apart"),
    ],
)
def test_the_users_mistakes_are_one_line_and_status_2(monkeypatch, capsys, words, line):
    ones = np.ones(GRID.shape, np.float32)
    write_volume(Volume(ones, GRID), Path("few/one.nii.gz"))
    moved = Geometry(GRID.shape, GRID.spacing_mm, (0.0, 0.0, 0.5))
    for name in ("one", "two"):
        write_volume(Volume(ones, moved), Path(f"moved/{name}.nii.gz"))
    assert ended(monkeypatch, *words, "--processes", 1) == 2
    told = capsys.readouterr()
    last = told.err.splitlines()[-1]
    assert last.startswith(f"udeansr_evaluate: {line}") and "Traceback" not in told.err and told.out == ""
