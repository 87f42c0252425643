"""The rows of the tables, by name and in groups: who learns from whose LR, with which settings."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from udeansr.degradation.kspace import TRUNCATION, Degradation
from udeansr.errors import UdeansrError
from udeansr.methods import load_settings, parse_settings
from udeansr.planning.configuration import SOURCE_DEGRADATIONS
from udeansr.strict_json import from_text
from udeansr.training.settings import RunSettings

MEASURED, KNOWN_TRUNCATION, RANDOMIZED = SOURCE_DEGRADATIONS
TRUE = "true"
"""Of a row's ``source_degradation``: what the target's scanner really did, which nobody knows but the simulation."""


RUN_VALUES = ("epochs", "iterations_per_epoch", "batch_size", "learning_rate", "seed", "clip", "ema_decay", "augment")
"""What a row may set of its run."""

_FORM = "NAME=METHOD[@DEGRADATION][:SETTING=VALUE,...], such as gentle=udean@measured:beta=0.001,run.learning_rate=1e-3"


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
        """Whether it learns from LR and HR of the same subjects, which only misaligned scenarios have."""
        return self.settings.get("pairs") == "real" or bool(self.settings.get("register"))


def parse_row(text: str) -> Row:
    """A row of the user's own: ``NAME=METHOD[@DEGRADATION][:SETTING=VALUE,...]``, ``run.learning_rate`` among them.

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
    run = _run_values([part for part in assignments if part.startswith("run.")], text)
    of_method = [part for part in assignments if not part.startswith("run.")]
    values = asdict(parse_settings(method, [f"{method}.{part}" for part in of_method]))
    settings = {key: values[key] for key in (part.partition("=")[0].strip() for part in of_method)}
    return Row(name, name, method, source_degradation, settings, run, text.strip().partition("=")[2])


def _run_values(assignments: list[str], row: str) -> dict[str, Any]:
    """Names of ``RUN_VALUES`` and their values, of ``run.learning_rate=1e-3`` and the like."""
    words = dict(assignment.removeprefix("run.").split("=", 1) for assignment in assignments if "=" in assignment)
    for name in words:
        if name not in RUN_VALUES:
            raise UdeansrError(f"--row '{row}': a run has no '{name}'; expected {', '.join(RUN_VALUES)}")
    run = from_text(RunSettings, words, f"--row '{row}': run")
    return {name: getattr(run, name) for name in words}


def _udean(name: str, title: str, **settings: Any) -> Row:
    """UDEAN in another form than its default."""
    about = "half of the training on the measured degradation, then the adversaries beside it"
    return Row(f"udean_{name}", f"UDEAN, {title}", "udean", settings=settings, about=about)


def _recipe(name: str, title: str, about: str, **changes: Any) -> Row:
    """Supervised on the measured degradation, with one part changed: settings, or ``run`` for values of its run."""
    return Row(name, f"supervised, {title}", "supervised", run=changes.pop("run", {}), settings=changes, about=about)


_ALL = (
    Row("tricubic", "tricubic", "tricubic", about="interpolation: nothing is learnt"),
    Row("sinc", "sinc", "sinc", about="interpolation: the LR's k-space, zero-filled"),
    Row(
        "zssr", "ZSSR", "zssr",
        about="learnt on each LR alone, degraded once more; its iterations are spent on each volume, in prediction",
    ),
    Row(
        "supervised_paired", "supervised, pairs as they are", "supervised", settings={"pairs": "real"},
        about="pairs of real LR and HR of the same subjects, who moved in between",
    ),
    Row(
        "supervised_registered", "supervised, rigid registration", "supervised",
        settings={"register": True}, about="the same, with HR moved rigidly onto LR first",
    ),
    Row(
        "supervised_truncation", "supervised, truncation", "supervised", KNOWN_TRUNCATION,
        about="pairs made of source HR by plain k-space truncation: the routine of most earlier work",
    ),
    Row(
        "supervised_measured", "supervised, measured", "supervised",
        about="pairs made of source HR by the degradation that planning measured between the cohorts",
    ),
    Row("dasr", "DASR", "dasr", about="learns to degrade, weighs by distance between the cohorts, then super-resolves"),
    Row("pseudosr", "PseudoSR", "pseudosr", about="translates real LR to clean LR and super-resolves that"),
    Row("blindsr", "Blind-SR", "blindsr", about="learns a cycle of real and clean LR, then super-resolves clean LR"),
    Row(
        "udean_paper", "UDEAN, paper", "udean_paper",
        about="the paper's networks, losses and adversaries; the networks begin as averaging and interpolation",
    ),
    Row(
        "udean_paper_letter", "UDEAN, paper, to the letter", "udean_paper", settings={"anchor": False},
        about="the same, but its networks begin as noise",
    ),
    Row(
        "udean_paper_feature", "UDEAN, paper, feature space", "udean_paper",
        settings={"image_adaptation": False}, about="no discriminator of LR images",
    ),
    Row(
        "udean_paper_image", "UDEAN, paper, image space", "udean_paper",
        settings={"feature_adaptation": False}, about="no discriminator of features",
    ),
    Row("udean", "UDEAN", "udean", about="on the measured degradation, then with adversaries in both spaces beside it"),
    _udean("image", "image space", feature_adaptation=False),
    _udean("feature", "feature space", image_adaptation=False),
    _udean("gentle", "a tenth of the weights", lambda_da=0.01, lambda_fa=0.01, beta=0.001),
    _udean("bounded", "bounded", bounded=True, lambda_measured=0.0),
    _udean("bounded_image", "bounded, image space", feature_adaptation=False, bounded=True, lambda_measured=0.0),
    *(
        _udean(f"{normalization}_norm", f"{normalization} normalisation", discriminator_normalization=normalization)
        for normalization in ("none", "instance", "spectral")
    ),
    _recipe("rcan", "TS-RCAN", "the paper's networks", network="rcan"),
    _recipe(
        "no_anchor", "TS-RCAN without the anchor", "features carry no copy of the image, decoders add to nothing",
        network="rcan", anchor=False,
    ),
    _recipe("no_ssim", "without L_SSIM", "L1 alone", alpha=0.0),
    _recipe("squared_ssim", "1 - SSIM^2", "L_SSIM as the code family runs it, not as equation 2", loss_form="code"),
    _recipe(
        "low_learning_rate", "half the learning rate", "1.5e-3 instead of 3e-3", run={"learning_rate": 1.5e-3}
    ),
    _recipe("high_learning_rate", "twice the learning rate", "6e-3 instead of 3e-3", run={"learning_rate": 6e-3}),
    _recipe("no_average", "without averaging", "the last weights predict", run={"ema_decay": 0.0}),
    _recipe(
        "no_augmentation", "without augmentation", "slabs are neither mirrored nor turned nor changed in gain",
        run={"augment": False},
    ),
    _recipe(
        "whole_slabs", "whole slabs", "every slice of a slab is super-resolved, and the overlaps averaged",
        margin_slices=0,
    ),
    Row(
        "oracle", "oracle", "supervised", TRUE,
        about="pairs made of source HR by the target's true degradation, which no method is told: a bound, no method",
    ),
)  # fmt: skip

ROWS = {row.name: row for row in _ALL}
"""All rows by name, in the table's order; a new one is an entry above, and its name in a group."""

GROUPS = {
    "default": (
        "tricubic", "sinc", "supervised_truncation", "udean_paper", "udean", "supervised_measured", "oracle",
    ),
    "table1": (
        "supervised_paired", "supervised_registered", "udean_paper_feature", "udean_paper_image", "udean_paper",
        "udean_feature", "udean_image", "udean", "supervised_measured", "oracle",
    ),
    "table2": (
        "tricubic", "sinc", "zssr", "dasr", "pseudosr", "blindsr", "udean_paper", "udean", "supervised_truncation",
        "supervised_measured", "oracle",
    ),
    "paper_ablation": ("udean_paper_letter", "udean_paper_feature", "udean_paper_image", "udean_paper"),
    "recipe": (
        "rcan", "no_anchor", "supervised_truncation", "no_ssim", "squared_ssim", "low_learning_rate",
        "high_learning_rate", "no_average", "no_augmentation", "whole_slabs", "supervised_measured",
    ),
    "adversaries": (
        "udean_image", "udean_feature", "udean_gentle", "udean_bounded", "udean_bounded_image", "udean_none_norm",
        "udean_instance_norm", "udean_spectral_norm", "udean", "supervised_measured",
    ),
}  # fmt: skip
"""Rows that are chosen by one word; ``table1`` and ``table2`` are the paper's, with the rows of ours that belong to
them, ``paper_ablation`` what of Table I needs no pairs, ``recipe`` changes one part a row."""


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
    for name in own:
        if name in ROWS or name in GROUPS:
            raise UdeansrError(f"--row {name}=...: the name {name} is taken; choose another")
    rows = ROWS | own
    names: dict[str, None] = {}
    for word in filter(None, (part.strip() for part in words.split(","))):
        if word not in GROUPS and word not in rows:
            raise UdeansrError(f"there is no row '{word}'; rows: {', '.join(rows)}; groups: {', '.join(GROUPS)}")
        names |= dict.fromkeys(GROUPS.get(word, (word,)))
    return tuple(rows[name] for name in names | dict.fromkeys(own))


def row_that_runs(row: Row, degradation: Degradation | None) -> Row:
    """The row whose training this one shows: the first of ``ROWS`` that does the very same, else itself.

    Under plain truncation the oracle is what is trained on truncation.
    """
    return next(
        (other for other in ROWS.values() if _what_decides(other, degradation) == _what_decides(row, degradation)), row
    )


def _what_decides(row: Row, degradation: Degradation | None) -> tuple[Any, ...]:
    """What a row does, without its names."""
    return row.method, load_settings(row.method, row.settings), row.run, said(row.source_degradation, degradation)


def said(source_degradation: str, degradation: Degradation | None) -> str:
    """A row's ``source_degradation`` under a degradation of the target: of plain truncation the truth is that word."""
    truth_is_plain = source_degradation == TRUE and degradation == TRUNCATION
    return KNOWN_TRUNCATION if truth_is_plain else source_degradation
