import csv
import io
import math
from dataclasses import replace

import pytest

from udeansr.benchmark.comparison import COLUMNS
from udeansr.benchmark.detailed_table import markdown, numbers
from udeansr.benchmark.rows import ROWS, parse_row

KEY = ("Dataset823_x2x2x1_unpaired_shifted_seed1", "test")


@pytest.fixture
def tables(result):
    return {
        KEY: [
            result("tricubic", psnr_db=20.0, ssim_2d=0.25, training=False),
            result("supervised_measured", psnr_db=29.0, ssim_2d=0.5),
            result("supervised_truncation", psnr_db=30.0, ssim_2d=0.25).reported_as(ROWS["oracle"]),
            result(parse_row("mine=udean:beta=0.1"), psnr_db=28.0, ssim_2d=math.nan),
        ]
    }


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_shows_means_deviations_differences_and_costs(tables):
    text = markdown(tables, "Trained alike.")
    assert f"## {KEY[0]}, test subjects (1 source, 1 target, 1 validation, 2 test)" in text
    lines = text.split("## ")[1].splitlines()
    head, _, tricubic, udean, oracle, mine = (cells(line) for line in lines if line.startswith("|"))
    assert head == [
        "row", *(column.head for column in COLUMNS), "PSNR - supervised_measured dB",
        "iterations", "seconds", "weights", "SR seconds/volume",
    ]  # fmt: skip
    by_head = [dict(zip(head, row, strict=True)) for row in (tricubic, udean, oracle, mine)]
    assert [row["PSNR dB"] for row in by_head] == [
        "20.50 ± 0.71", "**29.50 ± 0.71**", "30.50 ± 0.71", "28.50 ± 0.71"
    ]  # fmt: skip
    assert [row["SSIM 2-D"] for row in by_head][1:] == ["**1.0000 ± 0.7071**", "0.7500 ± 0.7071", "-"]
    assert [row["PSNR - supervised_measured dB"] for row in by_head] == ["-9.00", "", "+1.00", "-1.00"]
    assert [row["shift, voxels"] for row in by_head] == ["2.000"] * 4
    assert by_head[1]["seconds"] == "61" and by_head[1]["iterations"] == "6,000" and by_head[1]["weights"] == "341 k"
    assert by_head[0]["seconds"] == "" and by_head[0]["SR seconds/volume"] == "12.3"
    assert oracle[0] == "oracle (the run of supervised_truncation)"
    assert "- mine: udean:beta=0.1" in text and text.endswith("Trained alike.\n")


def test_the_numbers_are_there_unrounded(tables, result):
    tables[(KEY[0], "validation")] = [replace(result("sinc", psnr_db=10.0, training=False), split="validation")]
    rows = list(csv.DictReader(io.StringIO(numbers(tables))))
    assert [row["row"] for row in rows] == ["tricubic", "supervised_measured", "oracle", "mine", "sinc"]
    assert float(rows[1]["psnr_db_mean"]) == 29.5 and float(rows[1]["psnr_db_std"]) == pytest.approx(0.5**0.5)
    assert float(rows[0]["psnr_db_less_supervised_measured"]) == -9
    assert rows[1]["psnr_db_less_supervised_measured"] == ""
    assert rows[3]["ssim_2d_mean"] == "" and rows[0]["seconds"] == "" and rows[0]["prediction_seconds"] == "12.3"
    assert float(rows[1]["seconds"]) == 61.4
    assert rows[2]["same_as"] == "supervised_truncation" and rows[4]["split"] == "validation"


def test_one_subject_has_no_deviation(result):
    one = result(psnr_db=29.0)
    one = replace(one, cases={"sub-4": one.cases["sub-4"]})
    assert "| **29.00** |" in markdown({KEY: [one]}, "")
