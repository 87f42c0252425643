"""The table of a dataset: all rows, all scores, all costs."""

from __future__ import annotations

import csv
import io
import math

from udeansr.benchmark.comparison import COLUMNS, REFERENCE_ROW, Column, best_row, largest, paired_difference
from udeansr.benchmark.row_result import RowResult

COSTS = ("iterations", "seconds", "weights")
PREDICTION_COST = "SR seconds/volume"

NOTES = (
    "Mean ± standard deviation over subjects; of the shift the largest of all subjects. Spectrum: error of SR against "
    f"HR by band of frequencies. PSNR - {REFERENCE_ROW}: mean of the difference to that row, subject by subject. "
    "Seconds: of training, without validation; weights: learnt, discriminators' among them; iterations of ZSSR: on "
    "each volume, in prediction. Bold: the best row that is not told the true degradation."
)


def markdown(tables: dict[tuple[str, str], list[RowResult]], rule: str) -> str:
    """All tables, one for each dataset and split, and what their words mean.

    Args:
        tables: rows by dataset and split.
        rule: how long each row was trained.
    """
    lines = ["# Benchmark", ""]
    shown = {}
    for (dataset, split), results in tables.items():
        groups = results[0].identity.subjects
        counts = ", ".join(f"{len(names)} {group}" for group, names in groups.items())
        lines += [f"## {dataset}, {split} subjects ({counts})", "", *_lines(table(results)), ""]
        shown |= {result.row.name: result.row for result in results}
    about = [f"- {row.title}: {row.about or row.method}" for row in shown.values()]
    return "\n".join([*lines, *about, "", NOTES, "", rule, ""])


def table(results: list[RowResult]) -> list[list[str]]:
    """The cells of a dataset's table, its head first; what is best is between two stars, as Markdown has it."""
    head = ["row", *(column.head for column in COLUMNS), f"PSNR - {REFERENCE_ROW} dB", *COSTS, PREDICTION_COST]
    best = {column.key: best_row(results, column.key) for column in COLUMNS if column.best}
    rows = [head]
    for result in results:
        title = result.row.title + (f" (the run of {result.same_as})" if result.same_as else "")
        cells = [_cell(result, column) for column in COLUMNS]
        cells = [
            f"**{cell}**" if best.get(column.key) is result else cell
            for cell, column in zip(cells, COLUMNS, strict=True)
        ]
        apart = paired_difference(result, results)
        rows.append([title, *cells, "" if apart is None else f"{apart:+z.2f}", *_costs(result)])
    return rows


def _lines(rows: list[list[str]]) -> list[str]:
    """A table as Markdown."""
    head, *others = rows
    rows = [head, ["---"] * len(head), *others]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]


def _cell(result: RowResult, column: Column) -> str:
    if column.largest:
        return _number(largest(result, column.key), column.digits)
    mean, std = result.scores.mean(column.key), result.scores.std(column.key)
    return _number(mean, column.digits) + ("" if math.isnan(std) else f" ± {std:.{column.digits}f}")


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:z.{digits}f}"


def _costs(result: RowResult) -> list[str]:
    prediction = f"{result.prediction_seconds:,.1f}"
    if result.training is None:
        return ["", "", "", prediction]
    training = result.training
    return [f"{training.iterations:,}", f"{training.seconds:,.0f}", f"{training.weights / 1000:,.0f} k", prediction]


def numbers(tables: dict[tuple[str, str], list[RowResult]]) -> str:
    """The same as CSV, unrounded: a line a row; what has no number is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scores = [name for column in COLUMNS for name in _names(column)]
    writer.writerow(
        [
            "dataset",
            "split",
            "row",
            "same_as",
            "method",
            *scores,
            f"psnr_db_less_{REFERENCE_ROW}",
            *COSTS,
            "prediction_seconds",
        ]
    )
    for (dataset, split), results in tables.items():
        for result in results:
            values = [value for column in COLUMNS for value in _values(result, column)]
            apart = paired_difference(result, results)
            values.append(math.nan if apart is None else apart)
            costs = [getattr(result.training, name) if result.training else "" for name in COSTS]
            cells = [value if math.isfinite(value) else "" for value in values]
            names = [dataset, split, result.row.name, result.same_as or "", result.row.method]
            writer.writerow([*names, *cells, *costs, result.prediction_seconds])
    return text.getvalue()


def _names(column: Column) -> tuple[str, ...]:
    return (f"{column.key}_largest",) if column.largest else (f"{column.key}_mean", f"{column.key}_std")


def _values(result: RowResult, column: Column) -> tuple[float, ...]:
    if column.largest:
        return (largest(result, column.key),)
    return result.scores.mean(column.key), result.scores.std(column.key)
