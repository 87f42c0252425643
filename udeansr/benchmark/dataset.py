"""The dataset of a scenario: simulated from one folder of HR, or given as it is, ready to train on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.rows import KNOWN_TRUNCATION, MEASURED, RANDOMIZED, TRUE, said
from udeansr.benchmark.scenario import MISALIGNED, UNPAIRED, Scenario
from udeansr.degradation.kspace import DEGRADATIONS, TRUNCATION, Degradation
from udeansr.degradation.simulated_scan import Recipe
from udeansr.degradation.simulation import SIMULATION_FILE, simulate
from udeansr.degradation.subjects import subject_of
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.lock import LOCK_FILE, locked
from udeansr.paths import SOURCE_HR, TARGET_LR, TEST_LR, VALIDATION_LR
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import PLANS_FILE, Plan
from udeansr.planning.plan_dataset import plan_dataset
from udeansr.planning.raw_dataset import PAIRED_GROUPS, RawDataset, load_raw_dataset
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.preprocessing.preprocessor import preprocess
from udeansr.strict_json import as_json, from_json, read_json_object

UNKNOWN = "unknown"
"""The word for a degradation that nobody told."""

_GROUPS = {"source": SOURCE_HR, "target": TARGET_LR, "validation": VALIDATION_LR, "test": TEST_LR}


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a raw dataset, and not one of HR scans."""
    return (folder / SOURCE_HR).is_dir() or (folder / TARGET_LR).is_dir()


def given_scenario(folder: Path, scale: str, seed: str) -> Scenario:
    """The scenario of a raw dataset: misaligned where HR and LR of the same subjects are in it.

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
    subjects = subjects_of(raw)
    pairing = MISALIGNED if set(subjects["source"]) & set(subjects["target"]) else UNPAIRED
    word = named or (UNKNOWN if truth is None else "other")
    return Scenario(str(Scale.parse(scale)), pairing, word, int(seed), given=raw.name, truth=truth)


def subjects_of(raw: RawDataset) -> dict[str, list[str]]:
    """The subjects of each group, by the names of their scans."""
    return {name: sorted({subject_of(case.name) for case in raw.groups[group]}) for name, group in _GROUPS.items()}


def given_scans(folder: Path) -> tuple[str, ...]:
    """All scans of a raw dataset, ``group/name``, sorted."""
    groups = load_raw_dataset(folder).groups
    return tuple(sorted(f"{group}/{case.name}" for group, cases in groups.items() for case in cases))


def check_scored(folder: Path, split: str) -> None:
    """Refuse a dataset that has no pairs of those who are to be scored.

    Raises:
        UdeansrError: naming the groups that are needed.
    """
    lr = _GROUPS[split]
    if not load_raw_dataset(folder).pairs(lr):
        raise UdeansrError(
            f"{folder}: has no pairs in {lr} and {PAIRED_GROUPS[lr]}, so that nobody can be scored; expected LR and HR "
            "of the same subjects under equal names"
        )


@dataclass(frozen=True)
class _Told:
    """Of ``simulation.json`` what was done."""

    degradation: Degradation


@dataclass(frozen=True)
class _Members:
    """Of ``simulation.json`` who is in which group."""

    subjects: dict[str, list[str]]


_Read = TypeVar("_Read", _Told, _Members)


def _read_simulation(kind: type[_Read], folder: Path, remedy: str) -> _Read:
    """A part of what a simulated dataset says of itself."""
    path = folder / SIMULATION_FILE
    values = read_json_object(path, "simulation", remedy)
    part = {item.name: values[item.name] for item in fields(kind) if item.name in values}
    return from_json(kind, part, str(path), f"simulate it again: {remedy}")


def _truth(folder: Path) -> dict[str, Any] | None:
    """The fields of the target's true degradation, where the simulation tells them."""
    if not (folder / SIMULATION_FILE).is_file():
        return None
    return as_json(_read_simulation(_Told, folder, "udeansr_simulate").degradation)


_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimulatedDataset:
    """A dataset that is simulated and planned.

    Attributes:
        name: of its folders.
        scenario: what was simulated.
        raw, preprocessed: its folders.
        plan: as it lies there, with a configuration for each source degradation.
        subjects: by group, source, target, validation, test.
    """

    name: str
    scenario: Scenario
    raw: Path
    preprocessed: Path
    plan: Plan
    subjects: dict[str, list[str]]

    def configuration(self, source_degradation: str) -> Configuration:
        """The configuration in which LR of the source HR is made by "measured", "truncation" or "true"."""
        base, word = _planned(self.plan).name, said(source_degradation, self.scenario.true_degradation)
        return self.plan.configuration(base if word == MEASURED else f"{base}_{word}")


def read_dataset(folder: BenchmarkFolder, scenario: Scenario) -> SimulatedDataset | None:
    """The dataset of a scenario as it lies there; None if it is not yet planned.

    Raises:
        UdeansrError: if one of its files cannot be read.
    """
    name = scenario.dataset
    raw, preprocessed = folder.raw(name), folder.preprocessed(name)
    if not (raw.is_dir() and (preprocessed / PLANS_FILE).is_file()):
        return None
    plan = with_variants(Plan.load(preprocessed / PLANS_FILE), scenario.true_degradation)
    if scenario.given:
        subjects = subjects_of(load_raw_dataset(raw))
    else:
        subjects = _read_simulation(_Members, raw, "udeansr_benchmark in another folder").subjects
    return SimulatedDataset(name, scenario, raw, preprocessed, plan, subjects)


def prepare_dataset(
    folder: BenchmarkFolder,
    settings: BenchmarkSettings,
    hr: Path,
    scenario: Scenario,
    memory_gb: float | None,
    source_degradations: Iterable[str],
    processes: int,
) -> SimulatedDataset:
    """Simulate, plan and preprocess what is not yet there; other processes wait meanwhile.

    Args:
        folder: of the benchmark.
        settings: of the benchmark.
        hr: folder of HR scans, or the raw dataset that is given.
        scenario: what to simulate.
        memory_gb: what a training may take of the GPU's memory; None for a CPU.
        source_degradations: those whose arrays are needed.
        processes: worker processes.
    Raises:
        UdeansrError: if one of these stages refuses.
    """
    name = scenario.dataset
    raw, preprocessed = folder.raw(name), folder.preprocessed(name)
    with folder.lock(name), locked(preprocessed / LOCK_FILE, wait=True):
        if not raw.is_dir():
            _make_raw(hr, raw, scenario, settings, processes)
        if not (preprocessed / PLANS_FILE).is_file():
            _logger.info("%s: planning", name)
            plan = plan_dataset(load_raw_dataset(raw), preprocessed, memory_gb, processes=processes).plan
            with_variants(plan, scenario.true_degradation).save(preprocessed / PLANS_FILE)
        dataset = read_dataset(folder, scenario)
        assert dataset is not None, "it was made a moment ago"
        found = _planned(dataset.plan).task.scale
        if scenario.given and found != scenario.scale:
            raise UdeansrError(f"{name}: is of {found}, --scales says {scenario.scale}; give --scales {found}")
        for configuration in {dataset.configuration(word).name: None for word in source_degradations}:
            if not _is_preprocessed(dataset, configuration):
                preprocess(load_raw_dataset(raw), dataset.plan, configuration, preprocessed, processes)
    return dataset


def _make_raw(hr: Path, raw: Path, scenario: Scenario, settings: BenchmarkSettings, processes: int) -> None:
    """Simulate the raw dataset, or link the one that is given."""
    if scenario.given:
        raw.parent.mkdir(parents=True, exist_ok=True)
        raw.symlink_to(hr.resolve(), target_is_directory=True)
        return
    _logger.info("%s: simulating", raw.name)
    assert scenario.true_degradation is not None, "a made dataset has a known degradation"
    recipe = Recipe(scenario.factors, scenario.true_degradation, scenario.pairing, scenario.seed)
    simulate(hr, raw, recipe, scenario.counts(settings.counts), processes=processes)


def with_variants(plan: Plan, degradation: Degradation | None) -> Plan:
    """The plan with a configuration for each source degradation; those that it has already are kept.

    Args:
        plan: of the dataset.
        degradation: what the simulated target's scanner did; None if nobody knows. Of plain truncation there is no
            second variant.
    """
    base = _planned(plan)
    known: dict[str, str | Degradation] = {KNOWN_TRUNCATION: KNOWN_TRUNCATION, RANDOMIZED: RANDOMIZED}
    if degradation not in (None, TRUNCATION):
        known[TRUE] = degradation
    variants = {
        f"{base.name}_{word}": base.changed(
            name=f"{base.name}_{word}",
            source_degradation=value,
            inherits_from=base.name,
            reasons={"source_degradation": "for a row of the benchmark"},
        )
        for word, value in known.items()
    }
    return replace(plan, configurations=plan.configurations | variants | plan.configurations)


def _planned(plan: Plan) -> Configuration:
    """The configuration that planning made."""
    return next(one for one in plan.configurations.values() if one.inherits_from is None)


def _is_preprocessed(dataset: SimulatedDataset, configuration: str) -> bool:
    try:
        PreprocessedDataset.open(dataset.preprocessed, dataset.plan.configuration(configuration))
    except UdeansrError:
        return False
    return True
