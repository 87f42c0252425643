import csv
import json
import math

import pytest

from udeansr.evaluation.scores import BLOCKS, METRICS, FolderScores, Scores


def folder(name: str, *values: float) -> FolderScores:
    return FolderScores(name, {f"case{number}": dict.fromkeys(METRICS, value) for number, value in enumerate(values)})


def test_mean_and_standard_deviation_over_images():
    scores = folder("sr", 1.0, 2.0, 6.0)
    assert scores.mean("nrmse") == 3
    assert scores.std("nrmse") == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert math.isnan(folder("sr", 1.0).std("nrmse"))


def test_the_table_has_a_row_a_folder_and_aligned_columns():
    table = Scores("hr", (folder("sr", 30.0, 32.0), folder("tricubic", 25.0, 25.0))).table()
    lines = table.splitlines()
    assert lines[0].split() == ["whole", "volume,", "2", "images", "PSNR", "dB", "SSIM", "2-D", "SSIM", "3-D", "NRMSE"]
    assert lines[1].split()[:4] == ["sr", "31.00", "±", "1.41"]
    assert lines[2].split()[:4] == ["tricubic", "25.00", "±", "0.00"]
    assert lines[4].startswith("foreground, 2 images")
    heads = "spectrum, grid and level, 2 images low dB middle dB high dB shift voxels gain"
    assert lines[8].split() == heads.split() and len(lines) == 11
    assert all(len({len(line) for line in lines[first : first + 3]}) == 1 for first in (0, 4, 8))


def test_every_score_stands_in_one_block_of_the_table():
    assert [key for keys in BLOCKS.values() for key in keys] == list(METRICS)


def test_signs_are_shown_but_not_of_zero():
    scores = folder("sr", 1.0)
    scores.cases["case0"] |= {"spectrum_low_db": -0.001, "spectrum_high_db": -12.345}
    row = Scores("hr", (scores,)).table().splitlines()[-1]
    assert row.split() == ["sr", "0.00", "1.00", "-12.35", "1.0000", "1.0000"]


def test_the_table_of_one_image_has_no_deviation_and_a_dash_where_there_is_no_score():
    scores = folder("sr", 0.5)
    scores.cases["case0"]["ssim_3d"] = math.nan
    row = Scores("hr", (scores,)).table().splitlines()[1]
    assert row.split() == ["sr", "0.50", "0.5000", "-", "0.5000"]


def test_what_is_saved_can_be_read_and_says_the_same(tmp_path):
    scores = Scores("hr", (folder("sr", 30.0, 32.0), folder("sinc", math.inf, 25.0)))
    scores.save(tmp_path / "new" / "scores")
    scores.save(tmp_path / "new" / "scores")
    assert sorted(path.name for path in (tmp_path / "new" / "scores").iterdir()) == ["scores.csv", "summary.json"]
    text = (tmp_path / "new" / "scores" / "summary.json").read_text()
    assert "Infinity" not in text and "NaN" not in text
    summary = json.loads(text)
    assert summary["reference"] == "hr"
    assert summary["folders"][0]["mean"]["psnr_db"] == 31
    assert summary["folders"][0]["cases"]["case1"]["ssim_2d"] == 32
    assert summary["folders"][1]["mean"]["psnr_db"] is None
    with (tmp_path / "new" / "scores" / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["folder"], row["case"], row["psnr_db"]) for row in rows] == [
        ("sr", "case0", "30.0"),
        ("sr", "case1", "32.0"),
        ("sinc", "case0", ""),
        ("sinc", "case1", "25.0"),
    ]
