import csv
import re
from dataclasses import replace

import pytest

from udeansr.benchmark.rows import parse_row
from udeansr.benchmark.scenario import Scenario
from udeansr.benchmark.tables import read_results, table_files, write_tables

SHIFTED = Scenario("x2x2x1", "unpaired", "shifted", 1)


@pytest.fixture
def filled(folder, settings, result):
    folder.claim(settings)
    made = [
        result(parse_row("mine=udean:beta=0.1")),
        result("udean"),
        result("tricubic", training=False),
        replace(result("sinc", training=False), split="validation"),
    ]
    for one in made:
        one.save(folder.row_file(one.dataset, one.split, one.row.name))
    (folder.root / "rows" / SHIFTED.dataset / "test" / ".udean.json.partial").write_text("{")
    return folder


def test_rows_stand_in_the_tables_order_with_the_users_own_last(filled):
    found = {key: [one.row.name for one in results] for key, results in read_results(filled).items()}
    assert found == {
        (SHIFTED.dataset, "test"): ["tricubic", "udean", "mine"],
        (SHIFTED.dataset, "validation"): ["sinc"],
    }


def test_all_tables_are_written_of_which_there_are_rows(filled, result):
    text = write_tables(filled)
    assert (filled.root / "benchmark.md").read_text(encoding="utf-8") == text and "- mine: udean:beta=0.1" in text
    with (filled.root / "benchmark.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert sorted(path.name for path in filled.root.glob("table*")) == ["table2.csv", "table2.md", "table2.tex"]
    assert {path.name for path in table_files(filled)} == {
        "benchmark.md", "benchmark.csv", "table2.csv", "table2.md", "table2.tex"
    }  # fmt: skip
    misaligned = result("udean", scenario=replace(SHIFTED, pairing="misaligned"))
    misaligned.save(filled.row_file(misaligned.dataset, "test", "udean"))
    write_tables(filled)
    assert len(list(filled.root.glob("table1.*"))) == 3
    assert "x2x2x1 misaligned, PSNR dB" in (filled.root / "table2.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("budget_seconds", "rule"),
    [(None, "Equal generator iterations: each row"), (90.0, "Equal seconds: .+ take 90 sec")],
)
def test_they_say_what_was_equal(folder, settings, result, budget_seconds, rule):
    folder.claim(replace(settings, budget_seconds=budget_seconds))
    result().save(folder.row_file(SHIFTED.dataset, "test", "udean"))
    assert re.search(rule, write_tables(folder))
    assert re.search(rule, (folder.root / "table2.tex").read_text(encoding="utf-8"))
