"""The page of a dataset: both cohorts at a glance, so that a bad scan is seen before a week of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume
from udeansr.image.grid import format_spacing
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.case_facts import CaseFacts
from udeansr.planning.fingerprint import Fingerprint
from udeansr.planning.plan import PLANS_FILE, Plan
from udeansr.planning.raw_dataset import RawDataset
from udeansr.planning.summary import fingerprint_table, plan_table
from udeansr.report.charts import line_chart, strip_chart
from udeansr.report.page import write_page
from udeansr.report.spectra import DIRECTIONS
from udeansr.report.thumbnail import slice_picture

PAGE = "cohorts.html"
COHORTS = (SOURCE_HR, TARGET_LR)
OUTLYING = 5.0
"""Robust standard deviations from the median of its cohort from which on a scan is marked."""

LEAST_SPREAD = 0.03
"""Of a number, as a part of the median: what differs by less is no news."""

MOST_PICTURES = 60
"""Of a cohort; outliers first."""

FACTS: dict[str, Callable[[CaseFacts], float]] = {
    "slice spacing, mm": lambda case: case.spacing_mm[0],
    "in-plane spacing, mm": lambda case: float(np.mean(case.spacing_mm[1:])),
    "field of view along the slices, mm": lambda case: case.spacing_mm[0] * case.shape[0],
    "brightness": lambda case: case.foreground_percentiles[2],
    "contrast, median over brightness": lambda case: case.foreground_percentiles[1] / case.foreground_percentiles[2],
    "part that is foreground": lambda case: case.foreground_fraction,
    "noise": lambda case: case.noise,
    "true resolution": lambda case: float(np.min(case.resolved_fraction)),
}
"""What is compared within a cohort, by its name."""


@dataclass(frozen=True)
class Scan:
    """One image of the montage.

    Attributes:
        name: of the case.
        picture: data URI.
        spacing: in words.
        why: in which respects it lies apart, empty for most.
    """

    name: str
    picture: str
    spacing: str
    why: tuple[str, ...]


def write_cohort_page(raw: RawDataset, folder: Path, path: Path | None = None) -> Path:
    """Write the page of a dataset that was planned.

    Args:
        raw: the dataset.
        folder: with its fingerprint and plan: ``<preprocessed root>/<dataset>``.
        path: of the page; None: in that folder.
    Returns: the path.
    Raises:
        UdeansrError: if it was not planned, an image cannot be read, or the page cannot be written.
    """
    files = sorted(folder.glob("**/fingerprint*.json"))
    if not files:
        raise UdeansrError(f"{folder}: no fingerprint; plan first: udeansr_plan_and_preprocess -d {raw.name}")
    prints = [Fingerprint.load(file) for file in files]
    cases = {(case.group, case.name): case for one in prints for case in one.cases}
    facts = {group: [case for case in cases.values() if case.group == group] for group in COHORTS}
    outliers = {group: find_outliers(facts[group]) for group in COHORTS}
    plan = Plan.load(folder / PLANS_FILE)
    return write_page(
        path or folder / PAGE,
        "cohort.html.j2",
        raw.name,
        cohorts={group: _montage(raw, facts[group], outliers[group]) for group in COHORTS},
        counts={group: len(facts[group]) for group in COHORTS},
        distributions=[
            strip_chart(f"{group}, {name}", {case.name: fact(case) for case in facts[group]}, "")
            for name, fact in FACTS.items()
            for group in COHORTS
        ],
        spectra=[chart for one in prints for chart in _spectra(one)],
        tables=[fingerprint_table(one) for one in prints],
        plan=plan_table(plan),
    )


def find_outliers(cases: Sequence[CaseFacts]) -> dict[str, tuple[str, ...]]:
    """Why each scan lies apart from its cohort, in words with numbers; those that do not are left out."""
    found: dict[str, list[str]] = {}
    if len(cases) < 3:
        return {}
    for name, fact in FACTS.items():
        values = np.array([fact(case) for case in cases])
        middle = float(np.median(values))
        spread = max(1.4826 * float(np.median(np.abs(values - middle))), LEAST_SPREAD * abs(middle), 1e-9)
        for case, value in zip(cases, values, strict=True):
            if abs(value - middle) > OUTLYING * spread:
                found.setdefault(case.name, []).append(f"{name} {value:.3g} (median {middle:.3g})")
    return {name: tuple(reasons) for name, reasons in found.items()}


def _montage(raw: RawDataset, facts: Sequence[CaseFacts], outliers: dict[str, tuple[str, ...]]) -> list[Scan]:
    group = facts[0].group if facts else SOURCE_HR
    paths = {case.name: case.path for case in raw.groups[group]}
    order = sorted(facts, key=lambda case: case.name not in outliers)[:MOST_PICTURES]
    return [
        Scan(
            case.name,
            slice_picture(read_volume(paths[case.name])),
            format_spacing(case.spacing_mm),
            outliers.get(case.name, ()),
        )
        for case in order
        if case.name in paths
    ]


def _spectra(fingerprint: Fingerprint) -> list[object]:
    """Power of both cohorts along each axis, and the transfer between them."""
    charts: list[object] = []
    names = [DIRECTIONS[letter] for letter in fingerprint.orientation]
    for axis, name in zip("ZYX", names, strict=True):
        curves = {}
        for group in COHORTS:
            powers = fingerprint.cohorts[group].log_power[axis]
            places = [(i + 0.5) / len(powers) for i in range(len(powers))]
            curves[group] = [
                (place, 10 / np.log(10) * power)
                for place, power in zip(places, powers, strict=True)
                if power is not None
            ]
        charts.append(line_chart(f"spectra, {name}", curves, "part of the LR's Nyquist frequency", "power, dB"))
    measured = fingerprint.degradation
    transfer = {
        name: list(zip(measured.frequencies, curve, strict=True))
        for name, curve in zip(names, measured.transfer, strict=True)
    }
    charts.append(
        line_chart(
            "measured degradation", transfer, "part of the LR's Nyquist frequency", "transfer, HR to LR", from_zero=True
        )
    )
    return charts
