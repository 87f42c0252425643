"""A scenario: what is simulated before any method is trained; which rows run in it, and on which machine."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from udeansr.benchmark.rows import TRUE, Row, row_that_runs
from udeansr.degradation.kspace import DEGRADATIONS, Degradation
from udeansr.degradation.simulation import SIMULATION_FILE
from udeansr.degradation.subjects import PAIRINGS, Counts
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.parallel import Part

UNPAIRED, MISALIGNED = PAIRINGS

_NUMBERS = 999
"""Numbers that a dataset may have."""


@dataclass(frozen=True)
class Scenario:
    """Two cohorts as the benchmark makes them, or as they are given; each scenario is one dataset.

    Attributes:
        scale: in-plane x in-plane x through-plane.
        pairing: "unpaired", or "misaligned": LR and HR are of the same subjects, who moved in between.
        degradation: of the target, a key of ``DEGRADATIONS``; another word for a dataset that is given.
        seed: of the simulation, so of who is in which group, and of each training.
        given: name of the raw dataset that is taken as it is; empty for one that is made.
        truth: of a dataset that is given, the fields of the target's true degradation; None where nobody knows it.
    """

    scale: str
    pairing: str
    degradation: str
    seed: int
    given: str = ""
    truth: dict[str, Any] | None = field(default=None, hash=False)

    @property
    def dataset(self) -> str:
        """The folder name of its dataset. It hangs on nothing but the scenario, so that others may join later."""
        if self.given:
            return self.given
        words = f"{self.scale}_{self.pairing}_{self.degradation}_seed{self.seed}"
        return f"Dataset{1 + zlib.crc32(words.encode()) % _NUMBERS:03d}_{words}"

    @property
    def factors(self) -> Scale:
        """The scale as factors along (Z, Y, X)."""
        return Scale.parse(self.scale)

    @property
    def true_degradation(self) -> Degradation | None:
        """What the simulated target's scanner did; None where nobody knows."""
        if self.given:
            return None if self.truth is None else Degradation(**self.truth)
        return DEGRADATIONS[self.degradation]

    def counts(self, wanted: Counts) -> Counts:
        """Subjects in each group: of those wanted, the source is left out where it is the target's subjects again."""
        return replace(wanted, source=None) if self.pairing == MISALIGNED else wanted

    def __str__(self) -> str:
        """The words, as the command line takes them."""
        words = f"{self.scale} {self.pairing} {self.degradation} seed {self.seed}"
        return f"{self.given} {words}".strip()


def scenarios(
    scales: Iterable[str], pairings: Iterable[str], degradations: Iterable[str], seeds: Iterable[str]
) -> tuple[Scenario, ...]:
    """All that can be made of these words of a command line, each once, in this order.

    Raises:
        UdeansrError: if a scale, a pairing, a degradation or a seed is none, or there is none of one of them.
    """
    scales = [str(Scale.parse(scale)) for scale in scales]
    pairings, degradations, seeds = list(pairings), list(degradations), list(seeds)
    named = {"scales": scales, "pairings": pairings, "degradations": degradations, "seeds": seeds}
    for option, values in named.items():
        if not values:
            raise UdeansrError(f"there is nothing to do without a scenario; give --{option}")
    for pairing in pairings:
        if pairing not in PAIRINGS:
            raise UdeansrError(f"pairing '{pairing}' is not known; expected {' or '.join(PAIRINGS)}")
    for degradation in degradations:
        if degradation not in DEGRADATIONS:
            raise UdeansrError(f"degradation '{degradation}' is not known; expected {' or '.join(DEGRADATIONS)}")
    for seed in seeds:
        if not seed.isdecimal():
            raise UdeansrError(f"seed '{seed}' is none; expected a whole number of at least 0")
    made = product(scales, pairings, degradations, map(int, seeds))
    return tuple(dict.fromkeys(Scenario(*words) for words in made))


Run = tuple[Row, list[Row]]
"""A row that runs, and the other rows that show the same run."""


def runs_of_part(rows: Sequence[Row], scenarios: Sequence[Scenario], part: Part) -> list[tuple[Scenario, list[Run]]]:
    """The runs of a part, scenario by scenario; a scenario of which it has none is left out.

    Runs are shared out in turn, in the order of scenarios and rows: each machine that is given the same rows, scenarios
    and number of parts shares them out alike.
    """
    everything = [(scenario, run) for scenario in scenarios for run in shared_runs(rows, scenario)]
    mine: dict[Scenario, list[Run]] = {}
    for place, (scenario, run) in enumerate(everything):
        if part.has(place):
            mine.setdefault(scenario, []).append(run)
    return list(mine.items())


def shared_runs(rows: Sequence[Row], scenario: Scenario) -> list[Run]:
    """Rows that run in a scenario, each with the other rows that show the same run."""
    shared: dict[str, Run] = {}
    for row in rows:
        if _hindrance(row, scenario):
            continue
        own = row_that_runs(row, scenario.true_degradation)
        _, same = shared.setdefault(own.name, (own, []))
        if row.name != own.name:
            same.append(row)
    return list(shared.values())


def left_out(rows: Sequence[Row], scenario: Scenario) -> str:
    """Which rows cannot be run in a scenario, and why, in a line; empty if there is none."""
    named: dict[str, list[str]] = {}
    for row in rows:
        if reason := _hindrance(row, scenario):
            named.setdefault(reason, []).append(row.name)
    return "; ".join(f"{', '.join(names)}: left out, as {reason}" for reason, names in named.items())


def _hindrance(row: Row, scenario: Scenario) -> str:
    """Why a row cannot be run in a scenario; empty if it can."""
    if row.needs_pairs and scenario.pairing == UNPAIRED:
        return "LR and HR are of different subjects; --pairings misaligned has pairs"
    if row.source_degradation == TRUE and scenario.true_degradation is None:
        return f"{scenario.given} has no {SIMULATION_FILE} that tells the true degradation"
    return ""
