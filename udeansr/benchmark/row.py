"""A row of the table: who learns from whose LR, told how. Knows its notation; runs nothing."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from udeansr.errors import UdeansrError
from udeansr.methods import parse_settings
from udeansr.planning.plan import SOURCE_DEGRADATIONS

MEASURED, KNOWN_TRUNCATION, VARIETY = SOURCE_DEGRADATIONS
TRUE = "true"
"""Of a row's ``source_degradation``: what the target's scanner really did, which nobody knows but the simulation."""


def truth(text: str) -> bool:
    """Whether a word says yes or no.

    Raises:
        ValueError: if it says neither.
    """
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


RUN_VALUES = {
    "epochs": int, "iterations_per_epoch": int, "batch_size": int, "lr": float, "seed": int, "clip": float,
    "ema_decay": float, "augment": truth,
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

    @property
    def needs_pairs(self) -> bool:
        """Whether it learns from LR and HR of the same people, which only misaligned scenarios have."""
        return self.settings.get("pairs") == "named" or bool(self.settings.get("register"))


def parse_row(text: str) -> Row:
    """A row of the user's own: ``NAME=METHOD[@DEGRADATION][:SETTING=VALUE,...]``, ``run.lr`` and the like among them.

    Raises:
        UdeansrError: if it is of another form, or the method, a setting or a value is none.
    """
    match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)=(\w+)(?:@(\w+))?(?::(.+))?", text.strip())
    if match is None:
        raise UdeansrError(f"--row '{text}' is no row; expected {_FORM}")
    name, method, source_degradation, said = match.groups(default="")
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
        noun = {int: "a whole number", truth: "true or false"}.get(RUN_VALUES[name], "a number")
        raise UdeansrError(f"--row '{row}': run.{name} is '{text}'; expected {noun}") from None
