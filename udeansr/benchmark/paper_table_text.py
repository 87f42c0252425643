"""The paper's tables as Markdown, CSV and LaTeX. Knows notation; computes nothing and writes no file."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence

from udeansr.benchmark.comparison import REFERENCE_ROW, Column
from udeansr.benchmark.paper_table import SCORED, Cell, PaperTable
from udeansr.benchmark.significance import FEWEST_PAIRS, SIGNIFICANT

NOTES = (
    "Mean ± standard deviation over people; with several seeds over people of all seeds together, a person counting "
    f"once a seed. p: Wilcoxon's signed-rank test of the row against {REFERENCE_ROW}, person by person, two-sided, not "
    f"corrected for their number; † p < {SIGNIFICANT}. Of fewer than {FEWEST_PAIRS} pairs p cannot be below "
    f"{SIGNIFICANT}. (n): so many people where others have more. Bold: the best row that is not told the true "
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
    names = ["degradation", "people", "row", "scale", "pairing", "metric"]
    writer.writerow([*names, "mean", "std", "n", f"p_against_{REFERENCE_ROW}", "best"])
    for table in tables:
        for row, cells in table.rows:
            for (scale, pairing, metric), cell in cells.items():
                values = ["" if one is None or math.isnan(one) else one for one in (cell.mean, cell.std)]
                p = "" if cell.p is None else cell.p
                named = [table.degradation, table.people, row.name, scale, pairing, metric]
                writer.writerow([*named, *values, cell.number, p, int(cell.best)])
    return text.getvalue()


def _caption(table: PaperTable) -> str:
    return f"{table.degradation}, {table.people} people"


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
