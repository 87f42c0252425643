"""The page of a benchmark: its tables, how the scores of each row are spread over subjects, its figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from udeansr.benchmark.comparison import largest
from udeansr.benchmark.detailed_table import NOTES, table
from udeansr.benchmark.folder import BenchmarkFolder
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.tables import length_rule, read_results
from udeansr.errors import UdeansrError
from udeansr.figures.all_figures import FIGURES_FOLDER
from udeansr.figures.style import caption_of
from udeansr.report.charts import rows_chart
from udeansr.report.findings import hr_warnings
from udeansr.report.page import picture, write_page

PAGE = "benchmark.html"
MOST_BYTES = 16e6
"""Of all figures of a page; as text they take a third more."""

SPREAD = {"psnr_db": ("PSNR", "dB"), "ssim_2d": ("SSIM", "")}
"""Metrics whose spread over subjects is drawn."""

PLAIN = "tricubic"
"""The row that learning has to beat."""


@dataclass(frozen=True)
class Part:
    """A dataset and who of it was scored.

    Attributes:
        name: of the dataset, and which subjects.
        counts: of subjects by group.
        warnings: in plain words.
        table: its cells, the head first.
        charts: the spread over subjects.
        figures: caption and data URI.
    """

    name: str
    counts: str
    warnings: list[str]
    table: list[list[str]]
    charts: list[Markup]
    figures: list[tuple[str, str]]


def write_benchmark_page(folder: BenchmarkFolder, path: Path | None = None) -> Path:
    """Write the page of a benchmark, of the rows and figures that are there.

    Args:
        folder: of the benchmark.
        path: of the page; None: in that folder.
    Returns: the path.
    Raises:
        UdeansrError: if no row is finished, one cannot be read, or the page cannot be written.
    """
    results = read_results(folder)
    if not results:
        raise UdeansrError(
            f"{folder.root}: no finished row; expected the folder of a benchmark; udeansr_benchmark -o {folder.root} "
            "first"
        )
    figures, left_out = _figures(folder.root / FIGURES_FOLDER)
    parts = []
    for (dataset, split), rows in results.items():
        groups = rows[0].identity.subjects
        parts.append(
            Part(
                f"{dataset}, {split} subjects",
                ", ".join(f"{len(names)} {group}" for group, names in groups.items()),
                benchmark_warnings(rows),
                table(rows),
                [_spread(rows, metric) for metric in SPREAD],
                figures.pop(dataset, []),
            )
        )
    about = {row.row.title: row.row.about or row.row.method for rows in results.values() for row in rows}
    notes = [NOTES, length_rule(folder.settings())]
    if left_out:
        notes.append(f"{left_out} more figures lie in the folder {FIGURES_FOLDER}.")
    return write_page(
        path or folder.root / PAGE, "benchmark.html.j2", "Benchmark", parts=parts, about=about, notes=notes
    )


def benchmark_warnings(rows: list[RowResult]) -> list[str]:
    """What looks wrong in the rows of a dataset that learned, in plain words: the mean over subjects, of the shift the
    largest.
    """
    found = []
    plain = next((row.scores.mean("psnr_db") for row in rows if row.row.name == PLAIN), math.nan)
    for row in rows:
        if row.training is None:
            continue
        means = {metric: row.scores.mean(metric) for metric in next(iter(row.cases.values()))}
        said = hr_warnings(means | {"shift_voxels": largest(row, "shift_voxels")})
        if means["psnr_db"] < plain:
            said.insert(0, f"SR has {means['psnr_db']:.2f} dB, tricubic interpolation {plain:.2f} dB.")
        found += [f"{row.row.title}: {words}" for words in said]
    return found


def _spread(rows: list[RowResult], metric: str) -> Markup:
    heading, unit = SPREAD[metric]
    values = {row.row.title: {name: scores[metric] for name, scores in row.cases.items()} for row in rows}
    return rows_chart(f"{heading} by subject", values, unit)


def _figures(folder: Path) -> tuple[dict[str, list[tuple[str, str]]], int]:
    """Caption and data URI of the figures of each dataset, as far as there is room; how many are left out."""
    found: dict[str, list[tuple[str, str]]] = {}
    room, left_out = MOST_BYTES, 0
    for path in sorted(folder.glob("*/[!.]*.png")):
        room -= path.stat().st_size
        if room < 0:
            left_out += 1
            continue
        found.setdefault(path.parent.name, []).append((caption_of(path), picture(path.read_bytes())))
    return found, left_out
