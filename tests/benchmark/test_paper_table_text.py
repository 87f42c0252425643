import csv
import io
import math
import re
from dataclasses import replace

import pytest

from udeansr.benchmark.paper_table import KINDS, paper_tables
from udeansr.benchmark.paper_table_text import latex, markdown, numbers
from udeansr.benchmark.scenario import Scenario

UNPAIRED = Scenario("x2x2x1", "unpaired", "truncation", 1)
RULE = "Equal seconds: 100 % of 60_s & more"


@pytest.fixture
def tables(result):
    people = [f"sub-{number}" for number in range(6)]

    def row(name, psnr_db, scenario=UNPAIRED, people=people):
        one = result(name, scenario=scenario)
        cases = {who: {**one.cases["sub-4"], "psnr_db": psnr_db + i * psnr_db / 100} for i, who in enumerate(people)}
        return replace(one, cases=cases)

    return paper_tables(
        KINDS[1],
        [
            row("udean", 30.0),
            row("sinc", 20.0),
            row("udean_paper", math.nan),
            row("oracle", 40.0),
            row("udean", 30.0, replace(UNPAIRED, pairing="misaligned")),
            row("dasr", 10.0, people=people[:2]),
            row("udean", 25.0, replace(UNPAIRED, degradation="shifted")),
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
    assert by_row["UDEAN"]["x2x2x1 unpaired, PSNR dB"] == "**30.75 ± 0.56**"
    assert by_row["sinc"]["x2x2x1 unpaired, PSNR dB"] == "20.50 ± 0.37 †"
    assert by_row["sinc"]["x2x2x1 unpaired, p, PSNR"] == "0.0312" and by_row["UDEAN"]["x2x2x1 unpaired, p, PSNR"] == ""
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
    assert float(sinc["mean"]) == pytest.approx(20.5) and float(sinc["p_against_udean"]) == pytest.approx(1 / 32)
    assert sinc["n"] == "6" and sinc["best"] == "0" and (sinc["scale"], sinc["pairing"]) == ("x2x2x1", "unpaired")
    empty = next(row for row in rows if row["row"] == "udean_paper" and row["metric"] == "psnr_db")
    assert empty["mean"] == "" and empty["p_against_udean"] == ""
