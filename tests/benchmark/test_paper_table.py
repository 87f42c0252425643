import csv
import io
import math
import re
from dataclasses import replace

import pytest

from udeansr.benchmark.paper_table import KINDS, latex, markdown, numbers, paper_tables
from udeansr.benchmark.rows import GROUPS, parse_row
from udeansr.benchmark.scenario import Scenario

UNPAIRED = Scenario("x2x2x1", "unpaired", "truncation", 1)
MISALIGNED = replace(UNPAIRED, pairing="misaligned")
FIRST, SECOND = KINDS


def test_each_kind_has_its_rows_its_pairings_and_a_table_a_degradation(result):
    shifted = replace(UNPAIRED, degradation="shifted")
    results = [
        result("supervised_measured", scenario=MISALIGNED),
        result("supervised_measured", scenario=UNPAIRED),
        result("supervised_measured", scenario=replace(UNPAIRED, scale="x2x2x2")),
        result("supervised_registered", scenario=MISALIGNED),
        result("tricubic", scenario=UNPAIRED),
        result("tricubic", scenario=shifted),
        result(parse_row("mine=udean:beta=0.1"), scenario=UNPAIRED),
    ]
    (first,) = paper_tables(FIRST, results)
    assert first.settings == (("x2x2x1", "misaligned"),)
    assert [row.name for row, _ in first.rows] == ["supervised_registered", "supervised_measured"]
    second, other = paper_tables(SECOND, results)
    assert second.settings == (("x2x2x1", "unpaired"), ("x2x2x1", "misaligned"), ("x2x2x2", "unpaired"))
    assert [row.name for row, _ in second.rows] == ["tricubic", "supervised_measured"]
    assert (second.degradation, other.degradation) == ("truncation", "shifted")
    assert ("x2x2x2", "unpaired", "psnr_db") not in second.rows[0][1]
    assert paper_tables(FIRST, results[1:3]) == []
    assert all(kind.name in GROUPS for kind in KINDS)


def test_subjects_of_all_seeds_are_pooled(result):
    results = [
        result("supervised_measured", scenario=replace(UNPAIRED, seed=seed), psnr_db=float(10 * seed))
        for seed in (1, 2)
    ]
    ((_, cells),) = paper_tables(SECOND, results)[0].rows
    cell = cells["x2x2x1", "unpaired", "psnr_db"]
    assert cell.number == 4 and cell.mean == 15.5  # of 10, 11, 20, 21
    assert cell.std == pytest.approx(math.sqrt((5.5**2 + 4.5**2) * 2 / 3))


def test_the_best_is_told_no_secret_and_was_scored_on_as_many_subjects(result):
    few = result("dasr", scenario=UNPAIRED, psnr_db=40.0)
    few = replace(few, cases={"sub-4": few.cases["sub-4"]})
    results = [
        few,
        result("supervised_measured", scenario=UNPAIRED, psnr_db=30.0),
        result("sinc", scenario=UNPAIRED, psnr_db=20.0),
        result("oracle", scenario=UNPAIRED, psnr_db=50.0),
    ]
    (table,) = paper_tables(SECOND, results)
    best = {row.name: cells["x2x2x1", "unpaired", "psnr_db"].best for row, cells in table.rows}
    assert best == {"sinc": False, "dasr": False, "supervised_measured": True, "oracle": False}


def test_each_row_is_tested_against_the_default_on_the_subjects_they_share(result):
    default, sinc = (result(row, scenario=UNPAIRED) for row in ("supervised_measured", "sinc"))
    subjects = {f"sub-{number}": number for number in range(6)}
    scored = {name: {**default.cases["sub-4"], "psnr_db": 30.0 + number} for name, number in subjects.items()}
    worse = {name: {**scores, "psnr_db": scores["psnr_db"] - 1 - subjects[name]} for name, scores in scored.items()}
    (table,) = paper_tables(SECOND, [replace(default, cases=scored), replace(sinc, cases=worse)])
    by_row = {row.name: cells["x2x2x1", "unpaired", "psnr_db"] for row, cells in table.rows}
    assert by_row["supervised_measured"].p is None and by_row["sinc"].p == pytest.approx(2 / 2**6)
    (table,) = paper_tables(SECOND, [replace(sinc, cases=worse)])
    assert table.rows[0][1]["x2x2x1", "unpaired", "psnr_db"].p is None


UNPAIRED_SCENARIO = Scenario("x2x2x1", "unpaired", "truncation", 1)
RULE = "Equal seconds: 100 % of 60_s & more"


@pytest.fixture
def tables(result):
    subjects = [f"sub-{number}" for number in range(6)]

    def row(name, psnr_db, scenario=UNPAIRED_SCENARIO, subjects=subjects):
        one = result(name, scenario=scenario)
        cases = {who: {**one.cases["sub-4"], "psnr_db": psnr_db + i * psnr_db / 100} for i, who in enumerate(subjects)}
        return replace(one, cases=cases)

    return paper_tables(
        KINDS[1],
        [
            row("supervised_measured", 30.0),
            row("sinc", 20.0),
            row("udean_paper", math.nan),
            row("oracle", 40.0),
            row("supervised_measured", 30.0, replace(UNPAIRED_SCENARIO, pairing="misaligned")),
            row("dasr", 10.0, subjects=subjects[:2]),
            row("supervised_measured", 25.0, replace(UNPAIRED_SCENARIO, degradation="shifted")),
        ],
    )


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line[1:-1].split("|")]


def test_markdown_has_a_table_a_degradation_with_marks_and_what_they_mean(tables):
    text = markdown(tables, RULE)
    assert text.startswith("# Table II: methods beside each other\n") and text.count("## ") == 2
    lines = [line for line in text.split("## ")[1].splitlines() if line.startswith("|")]
    head, _, *rows = (cells(line) for line in lines)
    assert head[1:5] == [f"x2x2x1 unpaired, {word}" for word in ("SSIM 2-D", "PSNR dB", "p, SSIM", "p, PSNR")]
    by_row = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert by_row["supervised, measured"]["x2x2x1 unpaired, PSNR dB"] == "**30.75 ± 0.56**"
    assert by_row["sinc"]["x2x2x1 unpaired, PSNR dB"] == "20.50 ± 0.37 †"
    assert by_row["sinc"]["x2x2x1 unpaired, p, PSNR"] == "0.0312"
    assert by_row["supervised, measured"]["x2x2x1 unpaired, p, PSNR"] == ""
    assert by_row["sinc"]["x2x2x1 misaligned, PSNR dB"] == ""
    assert by_row["UDEAN, paper"]["x2x2x1 unpaired, PSNR dB"] == "-"
    assert by_row["DASR"]["x2x2x1 unpaired, PSNR dB"] == "10.05 ± 0.07 (2)"
    assert "Of fewer than 6 pairs p cannot be below 0.05" in text and text.endswith(f"{RULE}\n")


def test_latex_is_balanced_and_all_rows_of_a_table_have_its_columns(tables):
    text = latex(tables, RULE)
    opened, closed = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert opened == ["table", "tabular"] * 2 and closed == ["tabular", "table"] * 2
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert "±" not in text and "†" not in text and r"100 \% of 60\_s \& more" in text
    for table in text.split(r"\begin{table}")[1:]:
        (columns,) = re.findall(r"begin{tabular}{(l+c+)}", table)
        lines = [line.removesuffix(r"\\") for line in table.splitlines() if line.endswith(r"\\")]
        groups = sum(int(width) for width in re.findall(r"multicolumn{(\d+)}", lines[0]))
        assert 1 + groups == len(columns)
        assert {len(re.split(r"(?<!\\)&", line)) for line in lines[1:]} == {len(columns)}
        ends = [int(end) for end in re.findall(r"cmidrule\(lr\){\d+-(\d+)}", table)]
        assert ends[-1] == len(columns)


def test_what_is_not_text_to_latex_is_escaped(tables):
    assert r"\textbackslash{}x\{\}\$\#\^".replace(r"\^", r"\textasciicircum{}") in latex(tables, r"\x{}$#^")


def test_csv_has_a_line_a_cell_unrounded(tables):
    rows = list(csv.DictReader(io.StringIO(numbers(tables))))
    sinc = next(row for row in rows if row["row"] == "sinc" and row["metric"] == "psnr_db")
    assert float(sinc["mean"]) == pytest.approx(20.5) and float(sinc["p_against_supervised_measured"]) == pytest.approx(
        1 / 32
    )
    assert sinc["n"] == "6" and sinc["best"] == "0" and (sinc["scale"], sinc["pairing"]) == ("x2x2x1", "unpaired")
    empty = next(row for row in rows if row["row"] == "udean_paper" and row["metric"] == "psnr_db")
    assert empty["mean"] == "" and empty["p_against_supervised_measured"] == ""
