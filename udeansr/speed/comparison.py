"""Two ways to run one training against each other, in one process and in turns, so that both meet the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from udeansr.errors import UdeansrError
from udeansr.methods import parse_settings
from udeansr.planning.plan import Plan
from udeansr.speed.measured_training import MeasuredTraining, Variant
from udeansr.strict_json import from_text
from udeansr.training.settings import RunSettings

COMPARED = ("precision", "workers", "batch_size", "clip", "ema_decay", "augment", "compile", "device")
"""Settings of a run that change what an iteration takes."""

STEPS = ("own", "plain")
"""The trainer's own step, and the textbook's."""


@dataclass(frozen=True)
class Comparison:
    """An iteration in two variants.

    Attributes:
        compared: the settings that differ, as they were typed.
        precisions: of both.
        seconds: of an iteration with its batch, by round: the first variant's and the second's.
    """

    compared: str
    precisions: tuple[str, str]
    seconds: tuple[tuple[float, float], ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times as long the second variant takes, by round."""
        return tuple(second / first for first, second in self.seconds)

    def as_dict(self) -> dict[str, Any]:
        """All numbers, the ratios too."""
        return {**vars(self), "ratios": self.ratios}


def other_variant(variant: Variant, method_name: str, assignments: Sequence[str], compared: str) -> Variant:
    """The second variant of a comparison.

    Args:
        variant: the first.
        method_name: whose settings may be among what differs.
        assignments: those of the method's settings in the first variant: ``udean.beta=0.01``.
        compared: SETTING=VALUE with commas between: one of ``COMPARED``, ``step``, or a setting of the method.
    Raises:
        UdeansrError: if a setting or its value is none.
    """
    own, run = [], {}
    plain = variant.plain
    for word in compared.split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not value:
            raise UdeansrError(f"--compare {word!r} sets nothing; expected SETTING=VALUE, for example precision=fp32")
        if name == "step" and value in STEPS:
            plain = value == "plain"
        elif "." in name:
            own.append(f"{name}={value}")
        elif name in COMPARED:
            run[name] = value
        else:
            raise UdeansrError(
                f"--compare {word!r}: expected one of {', '.join(COMPARED)}, step ({' or '.join(STEPS)}), "
                f"or a setting of the method such as {method_name}.NAME"
            )
    typed = from_text(RunSettings, run, "--compare")
    settings = parse_settings(method_name, [*assignments, *own]) if own else variant.settings
    return Variant(settings, replace(variant.run, **{name: getattr(typed, name) for name in run}), plain)


def compare(
    folder: Path, plan: Plan, names: tuple[str, str], variants: tuple[Variant, Variant], compared: str, rounds: int
) -> Comparison:
    """Measure an iteration in both variants, in turns; who begins changes with the round.

    Args:
        folder: ``<preprocessed root>/<dataset>``.
        plan: the dataset's.
        names: of the configuration and of the method.
        variants: the first and the second.
        compared: the settings that differ, as they were typed.
        rounds: at least one.
    Raises:
        UdeansrError: as training does.
    """
    with ExitStack() as stack:
        both = [stack.enter_context(MeasuredTraining(folder, plan, *names, variant)) for variant in variants]
        measured: list[Any] = []
        for number in range(rounds):
            order = both if number % 2 == 0 else both[::-1]
            seconds = {id(training): training.seconds() for training in order}
            measured.append(tuple(seconds[id(training)] for training in both))
    first, second = (training.precision for training in both)
    return Comparison(compared, (first, second), tuple(measured))


def comparison_table(comparison: Comparison) -> str:
    """Both variants and how they compare, a line each."""
    ratios, (first, second) = comparison.ratios, zip(*comparison.seconds, strict=True)
    lines = []
    for name, seconds, precision in zip(
        ("as it is", comparison.compared), (first, second), comparison.precisions, strict=True
    ):
        lines.append(f"{name}: {1 / median(seconds):.3g} iterations a second in {precision}")
    spread = f"{min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds in turns"
    lines.append(f"{comparison.compared} takes {median(ratios):.2f} times as long ({spread})")
    return "".join(f"{line}\n" for line in lines)
