import csv
import math
from dataclasses import replace

import pytest

from udeansr.benchmark.comparison import COLUMNS
from udeansr.benchmark.row import parse_row
from udeansr.benchmark.rows import ROWS
from udeansr.benchmark.scenario import Scenario
from udeansr.benchmark.tables import read_results, write_tables

SHIFTED = Scenario("x2x2x1", "unpaired", "shifted", 1)


@pytest.fixture
def filled(folder, result):
    made = [
        result(parse_row("mine=udean:beta=0.1"), psnr_db=28.0, ssim_2d=math.nan),
        result("udean", psnr_db=29.0, ssim_2d=0.5),
        result("tricubic", psnr_db=20.0, ssim_2d=0.25, training=False),
        result("supervised_truncation", psnr_db=30.0, ssim_2d=0.25).shown_by(ROWS["oracle"]),
        replace(result("sinc", psnr_db=10.0, training=False), people="validation"),
    ]
    for one in made:
        one.save(folder.row_file(one.dataset, one.people, one.row.name))
    (folder.root / "rows" / SHIFTED.dataset / "test" / ".udean.json.partial").write_text("{")
    return folder


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_rows_stand_in_the_tables_order_with_the_users_own_last(filled):
    found = {key: [one.row.name for one in results] for key, results in read_results(filled).items()}
    assert found == {
        (SHIFTED.dataset, "test"): ["tricubic", "udean", "oracle", "mine"],
        (SHIFTED.dataset, "validation"): ["sinc"],
    }


def test_the_table_shows_means_deviations_differences_and_costs(filled):
    text = write_tables(filled)
    assert (filled.root / "benchmark.md").read_text(encoding="utf-8") == text
    assert f"## {SHIFTED.dataset}, test people (1 source, 1 target, 1 validation, 2 test)" in text
    lines = text.split("## ")[1].splitlines()
    head, _, tricubic, udean, oracle, mine = (cells(line) for line in lines if line.startswith("|"))
    assert head == [
        "row", *(column.head for column in COLUMNS), "PSNR - udean dB", "iterations", "seconds", "weights",
        "SR seconds/volume",
    ]  # fmt: skip
    by_head = [dict(zip(head, row, strict=True)) for row in (tricubic, udean, oracle, mine)]
    assert [row["PSNR dB"] for row in by_head] == [
        "20.50 ± 0.71", "**29.50 ± 0.71**", "30.50 ± 0.71", "28.50 ± 0.71"
    ]  # fmt: skip
    assert [row["SSIM 2-D"] for row in by_head][1:] == ["**1.0000 ± 0.7071**", "0.7500 ± 0.7071", "-"]
    assert [row["PSNR - udean dB"] for row in by_head] == ["-9.00", "", "+1.00", "-1.00"]
    assert [row["shift, voxels"] for row in by_head] == ["2.000"] * 4
    assert by_head[1]["seconds"] == "61" and by_head[1]["iterations"] == "6,000" and by_head[1]["weights"] == "341 k"
    assert by_head[0]["seconds"] == "" and by_head[0]["SR seconds/volume"] == "12.3"
    assert oracle[0] == "oracle (the run of supervised_truncation)"
    assert "- mine: udean:beta=0.1" in text


def test_the_numbers_are_there_unrounded(filled):
    write_tables(filled)
    with (filled.root / "benchmark.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["tricubic", "udean", "oracle", "mine", "sinc"]
    assert float(rows[1]["psnr_db_mean"]) == 29.5 and float(rows[1]["psnr_db_std"]) == pytest.approx(0.5**0.5)
    assert float(rows[0]["psnr_db_less_udean"]) == -9 and rows[1]["psnr_db_less_udean"] == ""
    assert (
        rows[3]["ssim_2d_mean"] == ""
        and rows[0]["seconds"] == ""
        and rows[0]["prediction_seconds"] == "12.3"
        and float(rows[1]["seconds"]) == 61.4
    )
    assert rows[2]["same_as"] == "supervised_truncation" and rows[4]["people"] == "validation"


def test_one_person_has_no_deviation(folder, result):
    one = result(psnr_db=29.0)
    one = replace(one, cases={"sub-4": one.cases["sub-4"]})
    one.save(folder.row_file(one.dataset, one.people, one.row.name))
    assert "| **29.00** |" in write_tables(folder)
