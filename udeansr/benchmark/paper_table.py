"""What the paper's two tables hold, pooled over people and seeds. Knows scores and rows; knows no file and no text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from udeansr.benchmark.comparison import COLUMNS, REFERENCE_ROW, Column
from udeansr.benchmark.row import TRUE, Row
from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.rows import GROUPS, ROWS
from udeansr.benchmark.scenario import MISALIGNED, UNPAIRED
from udeansr.benchmark.significance import signed_rank_p

SCORED = tuple(column for key in ("ssim_2d", "psnr_db") for column in COLUMNS if column.key == key)
"""The paper's two scores, in its order."""

Pool = dict[tuple[int, str], dict[str, float]]
"""Scores by (seed, person's scan)."""


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
        mean, std: over people and seeds (n - 1); not a number where there is none.
        number: of people, counted once a seed.
        p: of the signed-rank test against the reference row; None for itself, or without a pair.
        best: whether the mean is the best of those that are told no secret and were scored on as many people.
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
        people: "test" or "validation".
        settings: (scale, pairing) of its columns; each has those of ``SCORED``.
        rows: each with its cells by (scale, pairing, metric); those that are missing were not done.
    """

    kind: Kind
    degradation: str
    people: str
    settings: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Row, dict[tuple[str, str, str], Cell]], ...]


def paper_tables(kind: Kind, results: Iterable[RowResult]) -> list[PaperTable]:
    """The tables of a kind, one a degradation and people scored; none where none of its rows was done."""
    found: dict[tuple[str, str], list[RowResult]] = {}
    for result in results:
        if result.row.name in GROUPS[kind.name] and result.scenario.pairing in kind.pairings:
            found.setdefault((result.scenario.degradation, result.people), []).append(result)
    return [_table(kind, *key, own) for key, own in found.items()]


def _table(kind: Kind, degradation: str, people: str, results: list[RowResult]) -> PaperTable:
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
        people,
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
