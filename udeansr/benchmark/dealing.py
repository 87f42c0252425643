"""Which rows are run in which scenarios, and by which machine. Knows rows, scenarios and parts; knows no file."""

from __future__ import annotations

from collections.abc import Sequence

from udeansr.benchmark.row import TRUE, Row
from udeansr.benchmark.rows import row_that_runs
from udeansr.benchmark.scenario import UNPAIRED, Scenario
from udeansr.degradation.simulation import SIMULATION_FILE
from udeansr.parallel import Part

Run = tuple[Row, list[Row]]
"""A row that runs, and the other rows that show the same run."""


def dealt(rows: Sequence[Row], scenarios: Sequence[Scenario], part: Part) -> list[tuple[Scenario, list[Run]]]:
    """The runs of a part, scenario by scenario; a scenario of which it has none is left out.

    Runs are dealt like cards, in the order of scenarios and rows: each machine that is told the same rows, scenarios
    and number of parts deals the same way.
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
        _, shown = shared.setdefault(own.name, (own, []))
        if row.name != own.name:
            shown.append(row)
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
        return "LR and HR are of different people; --pairings misaligned has pairs"
    if row.source_degradation == TRUE and scenario.true_degradation is None:
        return f"{scenario.given} has no {SIMULATION_FILE} that tells the true degradation"
    return ""
