"""A raw dataset that is there already, taken as a scenario as it is. Knows its folders and names; opens no image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from udeansr.benchmark.scenario import MISALIGNED, UNPAIRED, Scenario
from udeansr.degradation.kspace import DEGRADATIONS, Degradation
from udeansr.degradation.people import subject
from udeansr.degradation.simulation import SIMULATION_FILE
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.paths import SOURCE_HR, TARGET_LR, TEST_LR, VALIDATION_LR
from udeansr.planning.json_file import read_json
from udeansr.planning.raw_dataset import PAIRED_GROUPS, RawDataset, load_raw_dataset

UNKNOWN = "unknown"
"""The word for a degradation that nobody told."""

_GROUPS = {"source": SOURCE_HR, "target": TARGET_LR, "validation": VALIDATION_LR, "test": TEST_LR}


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a raw dataset, and not one of HR scans."""
    return (folder / SOURCE_HR).is_dir() or (folder / TARGET_LR).is_dir()


def given_scenario(folder: Path, scale: str, seed: str) -> Scenario:
    """The scenario of a raw dataset: misaligned where HR and LR of the same people are in it.

    Args:
        folder: ``.../Dataset001_Name``.
        scale: of its plan.
        seed: of the trainings.
    Raises:
        UdeansrError: if it is no raw dataset, the scale or the seed is none, or ``simulation.json`` cannot be read.
    """
    if not seed.isdecimal():
        raise UdeansrError(
            f"seed '{seed}' is none; expected one whole number of at least 0 for a dataset that is there"
        )
    raw = load_raw_dataset(folder)
    truth = _truth(folder)
    named = next(
        (name for name, known in DEGRADATIONS.items() if truth is not None and Degradation(**truth) == known), None
    )
    people = people_of(raw)
    pairing = MISALIGNED if set(people["source"]) & set(people["target"]) else UNPAIRED
    word = named or (UNKNOWN if truth is None else "own")
    return Scenario(str(Scale.parse(scale)), pairing, word, int(seed), given=raw.name, truth=truth)


def people_of(raw: RawDataset) -> dict[str, list[str]]:
    """The people of each group, by the names of their scans."""
    return {name: sorted({subject(case.name) for case in raw.groups[group]}) for name, group in _GROUPS.items()}


def given_scans(folder: Path) -> tuple[str, ...]:
    """All scans of a raw dataset, ``group/name``, sorted."""
    groups = load_raw_dataset(folder).groups
    return tuple(sorted(f"{group}/{case.name}" for group, cases in groups.items() for case in cases))


def check_scored(folder: Path, people: str) -> None:
    """Refuse a dataset that has no pairs of those who are to be scored.

    Raises:
        UdeansrError: naming the groups that are needed.
    """
    lr = _GROUPS[people]
    if not load_raw_dataset(folder).pairs(lr):
        raise UdeansrError(
            f"{folder}: has no pairs in {lr} and {PAIRED_GROUPS[lr]}, so that nobody can be scored; expected LR and HR "
            "of the same people under equal names"
        )


def _truth(folder: Path) -> dict[str, Any] | None:
    """The fields of the target's true degradation, where the simulation tells them."""
    path = folder / SIMULATION_FILE
    return read_json(path, "simulation", "udeansr_simulate")["degradation"] if path.is_file() else None
