"""The tables of a benchmark, out of all row files that are there."""

from __future__ import annotations

from pathlib import Path

from udeansr.benchmark import detailed_table, paper_table
from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.row_task import MOST_IN_PREDICTION
from udeansr.benchmark.rows import ROWS
from udeansr.files import write_whole

TABLE_FILE, NUMBERS_FILE = "benchmark.md", "benchmark.csv"


def write_tables(folder: BenchmarkFolder) -> str:
    """Write all tables anew, each file whole or not at all.

    ``benchmark.md`` and ``benchmark.csv`` hold every dataset, row, score and cost; ``table1`` and ``table2``, as
    ``.md``, ``.csv`` and ``.tex``, the paper's, where there are rows of theirs.

    Returns: the text of ``benchmark.md``.
    Raises:
        UdeansrError: if a row file cannot be read.
    """
    with folder.lock("tables"):
        tables, rule = read_results(folder), length_rule(folder.settings())
        text = detailed_table.markdown(tables, rule)
        files = {TABLE_FILE: text, NUMBERS_FILE: detailed_table.numbers(tables)}
        for kind in paper_table.KINDS:
            if found := paper_table.paper_tables(kind, [result for results in tables.values() for result in results]):
                files[f"{kind.name}.md"] = paper_table.markdown(found, rule)
                files[f"{kind.name}.tex"] = paper_table.latex(found, rule)
                files[f"{kind.name}.csv"] = paper_table.numbers(found)
        for name, content in files.items():
            write_whole(folder.root / name, content)
    return text


def table_files(folder: BenchmarkFolder) -> list[Path]:
    """The files of tables that are there."""
    names = [
        TABLE_FILE,
        NUMBERS_FILE,
        *(f"{kind.name}.{suffix}" for kind in paper_table.KINDS for suffix in ("md", "csv", "tex")),
    ]
    return [folder.root / name for name in names if (folder.root / name).is_file()]


def read_results(folder: BenchmarkFolder) -> dict[tuple[str, str], list[RowResult]]:
    """All rows that are there, by dataset and split, in the order of ``ROWS``; the user's own come after."""
    order = list(ROWS)
    tables: dict[tuple[str, str], list[RowResult]] = {}
    for path in folder.row_files():
        result = RowResult.load(path)
        tables.setdefault((result.dataset, result.split), []).append(result)
    for results in tables.values():
        results.sort(key=lambda one: order.index(one.row.name) if one.row.name in order else len(order))
    return tables


def length_rule(settings: BenchmarkSettings) -> str:
    """How long each row was trained, in a sentence."""
    if settings.budget_seconds is not None:
        return (
            f"Equal seconds: each row was given the iterations that take {settings.budget_seconds:g} seconds of "
            f"training, as measured before it began; ZSSR for each volume, up to {MOST_IN_PREDICTION:,} iterations."
        )
    return (
        "Equal generator iterations: each row was trained for the same number, unless its own settings say another; "
        f"ZSSR on each volume, up to {MOST_IN_PREDICTION:,}."
    )
