"""Which subjects go into which group of a simulated dataset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udeansr.errors import UdeansrError

SOURCE, TARGET, VALIDATION, TEST = "source", "target", "validation", "test"
PAIRINGS = ("unpaired", "misaligned")

_SUBJECT = re.compile(r"(sub-[A-Za-z0-9]+)")


@dataclass(frozen=True)
class Counts:
    """How many subjects each group takes; None is the paper's part of all: 40, 40, 10 and 10 %."""

    source: int | None = None
    target: int | None = None
    validation: int | None = None
    test: int | None = None


def subject_of(name: str) -> str:
    """The subject that a scan shows: ``sub-01`` of ``sub-01_ses-2_T1w``; without a ``sub-``, the whole name."""
    match = _SUBJECT.match(name)
    return match.group(1) if match else name


def draw_groups(subjects: Sequence[str], counts: Counts, pairing: str, seed: int) -> dict[str, tuple[str, ...]]:
    """Draw the subjects of each group.

    The same seed and subjects give the same test, validation and target group for both pairings.

    Args:
        subjects: each named once.
        counts: how many each group takes.
        pairing: "unpaired": nobody is in two groups. "misaligned": the subjects of the target group are the source
            group as well.
        seed: of the draw; the order of ``subjects`` does not matter.
    Returns: names by group: source, target, validation, test.
    Raises:
        UdeansrError: if there are too few subjects, a count makes no sense or the pairing is unknown.
    """
    if pairing not in PAIRINGS:
        raise UdeansrError(f"pairing '{pairing}' is not known; expected {' or '.join(PAIRINGS)}")
    sizes = _sizes(len(subjects), counts, pairing)
    needed = sum(size for group, size in sizes.items() if not (group == SOURCE and pairing == "misaligned"))
    if needed > len(subjects):
        wanted = ", ".join(f"{size} {group}" for group, size in sizes.items())
        raise UdeansrError(
            f"{len(subjects)} subjects are there, {needed} are needed ({pairing}: {wanted}); give more scans or "
            "smaller groups with --source, --target, --validation, --test"
        )
    drawn = [str(name) for name in np.random.default_rng(seed).permutation(sorted(subjects))]
    groups: dict[str, tuple[str, ...]] = {}
    for group in (TEST, VALIDATION, TARGET, SOURCE):
        if group == SOURCE and pairing == "misaligned":
            groups[group] = groups[TARGET]
            continue
        groups[group], drawn = tuple(sorted(drawn[: sizes[group]])), drawn[sizes[group] :]
    return {group: groups[group] for group in (SOURCE, TARGET, VALIDATION, TEST)}


def _sizes(subjects: int, counts: Counts, pairing: str) -> dict[str, int]:
    """Subjects wanted in each group."""
    tenth = max(1, round(subjects / 10))
    half = max(1, (subjects - 2 * tenth) // 2)
    target = half if counts.target is None else counts.target
    default_source = target if pairing == "misaligned" else half
    sizes = {
        SOURCE: default_source if counts.source is None else counts.source,
        TARGET: target,
        VALIDATION: tenth if counts.validation is None else counts.validation,
        TEST: tenth if counts.test is None else counts.test,
    }
    for group, size in sizes.items():
        least = 1 if group in (SOURCE, TARGET) else 0
        if size < least:
            raise UdeansrError(f"--{group} is {size}; expected at least {least}")
    if pairing == "misaligned" and sizes[SOURCE] != target:
        raise UdeansrError(
            f"--source is {sizes[SOURCE]} and --target {target}; expected one number, as both are the same subjects "
            "when misaligned: leave --source out"
        )
    return sizes
