import math
from dataclasses import replace

import pytest

from udeansr.benchmark.paper_table import KINDS, paper_tables
from udeansr.benchmark.row import parse_row
from udeansr.benchmark.rows import GROUPS
from udeansr.benchmark.scenario import Scenario

UNPAIRED = Scenario("x2x2x1", "unpaired", "truncation", 1)
MISALIGNED = replace(UNPAIRED, pairing="misaligned")
FIRST, SECOND = KINDS


def test_each_kind_has_its_rows_its_pairings_and_a_table_a_degradation(result):
    shifted = replace(UNPAIRED, degradation="shifted")
    results = [
        result("udean", scenario=MISALIGNED),
        result("udean", scenario=UNPAIRED),
        result("udean", scenario=replace(UNPAIRED, scale="x2x2x2")),
        result("supervised_registered", scenario=MISALIGNED),
        result("tricubic", scenario=UNPAIRED),
        result("tricubic", scenario=shifted),
        result(parse_row("mine=udean:beta=0.1"), scenario=UNPAIRED),
    ]
    (first,) = paper_tables(FIRST, results)
    assert first.settings == (("x2x2x1", "misaligned"),)
    assert [row.name for row, _ in first.rows] == ["supervised_registered", "udean"]
    second, other = paper_tables(SECOND, results)
    assert second.settings == (("x2x2x1", "unpaired"), ("x2x2x1", "misaligned"), ("x2x2x2", "unpaired"))
    assert [row.name for row, _ in second.rows] == ["tricubic", "udean"]
    assert (second.degradation, other.degradation) == ("truncation", "shifted")
    assert ("x2x2x2", "unpaired", "psnr_db") not in second.rows[0][1]
    assert paper_tables(FIRST, results[1:3]) == []
    assert all(kind.name in GROUPS for kind in KINDS)


def test_people_of_all_seeds_are_pooled(result):
    results = [result("udean", scenario=replace(UNPAIRED, seed=seed), psnr_db=float(10 * seed)) for seed in (1, 2)]
    ((_, cells),) = paper_tables(SECOND, results)[0].rows
    cell = cells["x2x2x1", "unpaired", "psnr_db"]
    assert cell.number == 4 and cell.mean == 15.5  # of 10, 11, 20, 21
    assert cell.std == pytest.approx(math.sqrt((5.5**2 + 4.5**2) * 2 / 3))


def test_the_best_is_told_no_secret_and_was_scored_on_as_many_people(result):
    few = result("dasr", scenario=UNPAIRED, psnr_db=40.0)
    few = replace(few, cases={"sub-4": few.cases["sub-4"]})
    results = [
        few,
        result("udean", scenario=UNPAIRED, psnr_db=30.0),
        result("sinc", scenario=UNPAIRED, psnr_db=20.0),
        result("oracle", scenario=UNPAIRED, psnr_db=50.0),
    ]
    (table,) = paper_tables(SECOND, results)
    best = {row.name: cells["x2x2x1", "unpaired", "psnr_db"].best for row, cells in table.rows}
    assert best == {"sinc": False, "dasr": False, "udean": True, "oracle": False}


def test_each_row_is_tested_against_udean_on_the_people_they_share(result):
    udean, sinc = (result(row, scenario=UNPAIRED) for row in ("udean", "sinc"))
    people = {f"sub-{number}": number for number in range(6)}
    scored = {name: {**udean.cases["sub-4"], "psnr_db": 30.0 + number} for name, number in people.items()}
    worse = {name: {**scores, "psnr_db": scores["psnr_db"] - 1 - people[name]} for name, scores in scored.items()}
    (table,) = paper_tables(SECOND, [replace(udean, cases=scored), replace(sinc, cases=worse)])
    by_row = {row.name: cells["x2x2x1", "unpaired", "psnr_db"] for row, cells in table.rows}
    assert by_row["udean"].p is None and by_row["sinc"].p == pytest.approx(2 / 2**6)
    (table,) = paper_tables(SECOND, [replace(sinc, cases=worse)])
    assert table.rows[0][1]["x2x2x1", "unpaired", "psnr_db"].p is None
