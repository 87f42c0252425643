"""The rows of the table: who learns from whose LR, told how. Knows data and their notation; runs nothing."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from udeansr.degradation.kspace import TRUNCATION, Degradation
from udeansr.errors import UdeansrError
from udeansr.methods import load_settings, parse_settings
from udeansr.planning.plan import SOURCE_DEGRADATIONS

MEASURED, KNOWN_TRUNCATION = SOURCE_DEGRADATIONS
TRUE = "true"
"""Of a row's ``source_degradation``: what the target's scanner really did, which nobody knows but the simulation."""

RUN_VALUES = {
    "epochs": int, "iterations_per_epoch": int, "batch_size": int, "lr": float, "seed": int, "clip": float,
    "ema_decay": float,
}  # fmt: skip
"""What a row may set of its run, and of which type it is."""

_FORM = "NAME=METHOD[@DEGRADATION][:SETTING=VALUE,...], such as gentle=udean@measured:beta=0.001,run.lr=1e-3"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: as ``--rows`` takes it; its files and folders are called so too.
        title: as the table shows it.
        method: a key of ``METHODS``.
        source_degradation: what makes LR of the source HR: "measured", "truncation" or "true".
        settings: those of the method that are not its defaults.
        run: values of its run, names of ``RUN_VALUES``, that are not those of the whole benchmark.
        about: what it is there for.
    """

    name: str
    title: str
    method: str
    source_degradation: str = MEASURED
    settings: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    about: str = ""


_ALL = (
    Row("tricubic", "tricubic", "tricubic", about="interpolation: nothing is learnt"),
    Row("sinc", "sinc", "sinc", about="interpolation: the LR's k-space, zero-filled"),
    Row(
        "supervised_truncation", "supervised, truncation", "supervised", KNOWN_TRUNCATION,
        about="pairs made of source HR by plain k-space truncation: the routine of most earlier work",
    ),
    Row(
        "supervised_measured", "supervised, measured", "supervised",
        about="pairs made of source HR by the degradation that planning measured between the cohorts",
    ),
    Row("udean_paper", "UDEAN, paper", "udean_paper", about="the paper's networks, losses and adversaries"),
    Row(
        "udean_paper_feature", "UDEAN, paper, feature space", "udean_paper",
        settings={"image_adaptation": False}, about="no discriminator of LR images",
    ),
    Row(
        "udean_paper_image", "UDEAN, paper, image space", "udean_paper",
        settings={"feature_adaptation": False}, about="no discriminator of features",
    ),
    Row("udean", "UDEAN", "udean", about="the default recipe"),
    Row(
        "oracle", "oracle", "supervised", TRUE,
        about="pairs made of source HR by the target's true degradation, which no method is told: a bound, no method",
    ),
)  # fmt: skip

ROWS = {row.name: row for row in _ALL}
"""All rows by name, in the table's order; a new one is an entry above, and its name in a group."""

ORACLE = "oracle"

GROUPS = {
    "default": (
        "tricubic", "sinc", "supervised_truncation", "supervised_measured", "udean_paper", "udean", "oracle",
    ),
    "paper_ablation": ("udean_paper_feature", "udean_paper_image", "udean_paper"),
}  # fmt: skip
"""Rows that are chosen by one word; ``paper_ablation`` is the paper's Table I."""


def choose_rows(words: str, added: list[str]) -> tuple[Row, ...]:
    """The rows of a command line.

    Args:
        words: names of rows and groups, comma-separated.
        added: rows of the user's own; see :func:`parse_row`. They are chosen as well.
    Returns: each once, in the order in which they were named.
    Raises:
        UdeansrError: if a name is of no row, or an added row is none or has a name that is taken.
    """
    own = {row.name: row for row in map(parse_row, added)}
    if len(own) < len(added):
        raise UdeansrError("two of --row have one name; expected a name for each")
    rows = ROWS | own
    names: dict[str, None] = {}
    for word in filter(None, (part.strip() for part in words.split(","))):
        if word not in GROUPS and word not in rows:
            raise UdeansrError(f"there is no row '{word}'; rows: {', '.join(rows)}; groups: {', '.join(GROUPS)}")
        names |= dict.fromkeys(GROUPS.get(word, (word,)))
    return tuple(rows[name] for name in names | dict.fromkeys(own))


def parse_row(text: str) -> Row:
    """A row of the user's own: ``NAME=METHOD[@DEGRADATION][:SETTING=VALUE,...]``, ``run.lr`` and the like among them.

    Raises:
        UdeansrError: if it is of another form, the name is taken, or the method, a setting or a value is none.
    """
    match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)=(\w+)(?:@(\w+))?(?::(.+))?", text.strip())
    if match is None:
        raise UdeansrError(f"--row '{text}' is no row; expected {_FORM}")
    name, method, source_degradation, said = match.groups(default="")
    if name in ROWS or name in GROUPS:
        raise UdeansrError(f"--row '{text}': the name {name} is taken; choose another")
    source_degradation = source_degradation or MEASURED
    if source_degradation not in (*SOURCE_DEGRADATIONS, TRUE):
        known = ", ".join((*SOURCE_DEGRADATIONS, TRUE))
        raise UdeansrError(f"--row '{text}': '@{source_degradation}' is no degradation; expected {known}")
    assignments = [part.strip() for part in said.split(",") if part.strip()]
    run = dict(_run_value(part, text) for part in assignments if part.startswith("run."))
    of_method = [part for part in assignments if not part.startswith("run.")]
    values = asdict(parse_settings(method, [f"{method}.{part}" for part in of_method]))
    settings = {key: values[key] for key in (part.partition("=")[0].strip() for part in of_method)}
    return Row(name, name, method, source_degradation, settings, run, text.strip().partition("=")[2])


def _run_value(assignment: str, row: str) -> tuple[str, Any]:
    """A name of ``RUN_VALUES`` and its value, of ``run.lr=1e-3``."""
    name, _, text = assignment.removeprefix("run.").partition("=")
    if name not in RUN_VALUES:
        raise UdeansrError(f"--row '{row}': a run has no '{name}'; expected {', '.join(RUN_VALUES)}")
    try:
        return name, RUN_VALUES[name](text)
    except ValueError:
        noun = "a whole number" if RUN_VALUES[name] is int else "a number"
        raise UdeansrError(f"--row '{row}': run.{name} is '{text}'; expected {noun}") from None


def row_that_runs(row: Row, degradation: Degradation) -> Row:
    """The row whose training this one shows: the first of ``ROWS`` that does the very same, else itself.

    Under plain truncation the oracle is what is trained on truncation.
    """
    return next((other for other in ROWS.values() if _work(other, degradation) == _work(row, degradation)), row)


def _work(row: Row, degradation: Degradation) -> tuple[Any, ...]:
    """What a row does, without its names."""
    return row.method, load_settings(row.method, row.settings), row.run, said(row.source_degradation, degradation)


def said(source_degradation: str, degradation: Degradation) -> str:
    """A row's ``source_degradation`` under a degradation of the target: of plain truncation the truth is that word."""
    truth_is_plain = source_degradation == TRUE and degradation == TRUNCATION
    return KNOWN_TRUNCATION if truth_is_plain else source_degradation
