"""The paper's two tables, pooled over subjects and seeds, as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from udeansr.benchmark.comparison import COLUMNS, FEWEST_PAIRS, REFERENCE_ROW, SIGNIFICANT, Column, signed_rank_p
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.rows import GROUPS, ROWS, TRUE, Row
from udeansr.benchmark.scenario import MISALIGNED, UNPAIRED

SCORED = tuple(column for key in ("ssim_2d", "psnr_db") for column in COLUMNS if column.key == key)
"""The paper's two scores, in its order."""

Pool = dict[tuple[int, str], dict[str, float]]
"""Scores by (seed, subject's scan)."""


@dataclass(frozen=True)
class Kind:
    """One of the paper's tables.

    Attributes:
        name: of its files, and of the group of its rows.
        title: as it is headed.
        pairings: of the scenarios in it.
    """

    name: str
    title: str
    pairings: tuple[str, ...]


KINDS = (
    Kind("table1", "Table I: adaptation beside supervision, misaligned cohorts", (MISALIGNED,)),
    Kind("table2", "Table II: methods beside each other", (UNPAIRED, MISALIGNED)),
)


@dataclass(frozen=True)
class Cell:
    """A row's score in a column of scenarios.

    Attributes:
        mean, std: over subjects and seeds (n - 1); not a number where there is none.
        number: of subjects, counted once a seed.
        p: of the signed-rank test against the reference row; None for itself, or without a pair.
        best: whether the mean is the best of those that are told no secret and were scored on as many subjects.
    """

    mean: float
    std: float
    number: int
    p: float | None
    best: bool


@dataclass(frozen=True)
class PaperTable:
    """A table of one degradation.

    Attributes:
        kind: which.
        degradation: of the target.
        split: "test" or "validation".
        settings: (scale, pairing) of its columns; each has those of ``SCORED``.
        rows: each with its cells by (scale, pairing, metric); those that are missing were not done.
    """

    kind: Kind
    degradation: str
    split: str
    settings: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Row, dict[tuple[str, str, str], Cell]], ...]


def paper_tables(kind: Kind, results: Iterable[RowResult]) -> list[PaperTable]:
    """The tables of a kind, one a degradation and subjects scored; none where none of its rows was done."""
    found: dict[tuple[str, str], list[RowResult]] = {}
    for result in results:
        if result.row.name in GROUPS[kind.name] and result.scenario.pairing in kind.pairings:
            found.setdefault((result.scenario.degradation, result.split), []).append(result)
    return [_table(kind, *key, own) for key, own in found.items()]


def _table(kind: Kind, degradation: str, split: str, results: list[RowResult]) -> PaperTable:
    pools: dict[tuple[str, str], dict[str, Pool]] = {}
    for result in results:
        setting = (result.scenario.scale, result.scenario.pairing)
        pool = pools.setdefault(setting, {}).setdefault(result.row.name, {})
        pool |= {(result.scenario.seed, name): scores for name, scores in result.cases.items()}
    order = {pairing: place for place, pairing in enumerate(kind.pairings)}
    settings = tuple(sorted(pools, key=lambda setting: (setting[0], order[setting[1]])))
    names = [name for name in ROWS if name in GROUPS[kind.name]]
    rows = [(name, {result.row.name: result.row for result in results}.get(name)) for name in names]
    cells = {(setting, column.key): _cells(pools[setting], column) for setting in settings for column in SCORED}
    return PaperTable(
        kind,
        degradation,
        split,
        settings,
        tuple(
            (row, {(*setting, key): column[name] for (setting, key), column in cells.items() if name in column})
            for name, row in rows
            if row is not None
        ),
    )


def _cells(pools: dict[str, Pool], column: Column) -> dict[str, Cell]:
    """A metric of all rows of a setting, by row."""
    scores = {name: {who: one[column.key] for who, one in pool.items()} for name, pool in pools.items()}
    means = {name: float(np.mean(list(own.values()))) for name, own in scores.items()}
    most = max(map(len, scores.values()))
    honest = {
        name: mean
        for name, mean in means.items()
        if not math.isnan(mean) and ROWS[name].source_degradation != TRUE and len(scores[name]) == most
    }
    best = max(honest, key=lambda name: honest[name]) if honest else None
    reference = scores.get(REFERENCE_ROW, {})
    return {
        name: Cell(
            means[name],
            float(np.std(list(own.values()), ddof=1)) if len(own) > 1 else math.nan,
            len(own),
            None
            if name == REFERENCE_ROW
            else signed_rank_p([own[who] - reference[who] for who in own if who in reference]),
            name == best,
        )
        for name, own in scores.items()
    }


NOTES = (
    "Mean ± standard deviation over subjects; with several seeds over subjects of all seeds together, each "
    f"counted once a seed. p: Wilcoxon's signed-rank test of the row against {REFERENCE_ROW}, paired by subject, "
    f"two-sided, not corrected for their number; † p < {SIGNIFICANT}. Of fewer than {FEWEST_PAIRS} pairs p cannot be "
    f"below {SIGNIFICANT}. (n): so many subjects where others have more. Bold: the best row that is not told the true "
    "degradation."
)

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "†": r"$^{\dagger}$", "<": r"$<$",
}  # fmt: skip


def markdown(tables: Sequence[PaperTable], rule: str) -> str:
    """The tables of a kind, one a degradation, and what their words mean.

    Args:
        tables: of one kind, at least one.
        rule: how long each row was trained.
    """
    lines = [f"# {tables[0].kind.title}", ""]
    for table in tables:
        heads = [f"{scale} {pairing}, {head}" for scale, pairing in table.settings for head in _heads()]
        rows = [["row", *heads], ["---"] * (len(heads) + 1)]
        rows += [[title, *(f"**{text}**" if bold else text for text, bold in cells)] for title, cells in _body(table)]
        lines += [f"## {_caption(table)}", "", *("| " + " | ".join(row) + " |" for row in rows), ""]
    return "\n".join([*lines, NOTES, "", rule, ""])


def latex(tables: Sequence[PaperTable], rule: str) -> str:
    """The same, to be put into a document that uses booktabs."""
    lines = ["% \\usepackage{booktabs}"]
    width = len(_heads())
    for table in tables:
        groups = [
            rf"\multicolumn{{{width}}}{{c}}{{{_escaped(f'{scale} {pairing}')}}}" for scale, pairing in table.settings
        ]
        rules = [rf"\cmidrule(lr){{{2 + width * place}-{1 + width * (place + 1)}}}" for place in range(len(groups))]
        heads = ["row", *(_escaped(head) for _ in groups for head in _heads())]
        lines += [
            r"\begin{table}", r"\centering",
            rf"\caption{{{_escaped(f'{table.kind.title}. {_caption(table)}. {NOTES} {rule}')}}}",
            rf"\begin{{tabular}}{{l{'c' * width * len(groups)}}}", r"\toprule",
            _latex_row(["", *groups]), "".join(rules), _latex_row(heads), r"\midrule",
        ]  # fmt: skip
        for title, cells in _body(table):
            texts = [rf"\textbf{{{_escaped(text)}}}" if bold else _escaped(text) for text, bold in cells]
            lines.append(_latex_row([_escaped(title), *texts]))
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def numbers(tables: Sequence[PaperTable]) -> str:
    """The same as CSV, unrounded: a line a cell; what has no number is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["degradation", "split", "row", "scale", "pairing", "metric"]
    writer.writerow([*names, "mean", "std", "n", f"p_against_{REFERENCE_ROW}", "best"])
    for table in tables:
        for row, cells in table.rows:
            for (scale, pairing, metric), cell in cells.items():
                values = ["" if one is None or math.isnan(one) else one for one in (cell.mean, cell.std)]
                p = "" if cell.p is None else cell.p
                named = [table.degradation, table.split, row.name, scale, pairing, metric]
                writer.writerow([*named, *values, cell.number, p, int(cell.best)])
    return text.getvalue()


def _caption(table: PaperTable) -> str:
    return f"{table.degradation}, {table.split} subjects"


def _heads() -> list[str]:
    """The columns of a setting."""
    return [*(column.head for column in SCORED), *(f"p, {column.head.split()[0]}" for column in SCORED)]


def _body(table: PaperTable) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Each row's title, and its cells: text, and whether it is the best."""
    most = {
        key: max(cells[key].number for _, cells in table.rows if key in cells)
        for key in {key for _, cells in table.rows for key in cells}
    }
    body = []
    for row, cells in table.rows:
        texts = []
        for setting in table.settings:
            own = [(column, cells.get((*setting, column.key))) for column in SCORED]
            texts += [
                ("", False) if cell is None else (_score(cell, column, most[(*setting, column.key)]), cell.best)
                for column, cell in own
            ]
            texts += [("" if cell is None or cell.p is None else f"{cell.p:.3g}", False) for _, cell in own]
        body.append((row.title, texts))
    return body


def _score(cell: Cell, column: Column, most: int) -> str:
    if math.isnan(cell.mean):
        return "-"
    text = f"{cell.mean:.{column.digits}f}" + ("" if math.isnan(cell.std) else f" ± {cell.std:.{column.digits}f}")
    mark = " †" if cell.p is not None and cell.p < SIGNIFICANT else ""
    return text + mark + (f" ({cell.number})" if cell.number < most else "")


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escaped(text: str) -> str:
    """Text as LaTeX takes it."""
    return re.sub("|".join(map(re.escape, _LATEX)), lambda match: _LATEX[match.group()], text)
