"""Two cohorts of a scenario, made of one folder of HR, ready to train on. Knows stages and files; no method."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.given_dataset import people_of
from udeansr.benchmark.row import KNOWN_TRUNCATION, MEASURED, TRUE, VARIETY
from udeansr.benchmark.rows import said
from udeansr.benchmark.scenario import Scenario
from udeansr.degradation.kspace import TRUNCATION, Degradation
from udeansr.degradation.recipe import Recipe
from udeansr.degradation.simulation import SIMULATION_FILE, simulate
from udeansr.errors import UdeansrError
from udeansr.planning.json_file import read_json
from udeansr.planning.plan import PLANS_FILE, Configuration, Plan
from udeansr.planning.plan_dataset import plan_dataset
from udeansr.planning.raw_dataset import load_raw_dataset
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset
from udeansr.preprocessing.preprocessor import preprocess

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimulatedDataset:
    """A dataset that is simulated and planned.

    Attributes:
        name: of its folders.
        scenario: what was simulated.
        raw, preprocessed: its folders.
        plan: as it lies there, with a configuration for each source degradation.
        people: by group, source, target, validation, test.
    """

    name: str
    scenario: Scenario
    raw: Path
    preprocessed: Path
    plan: Plan
    people: dict[str, list[str]]

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
        people = people_of(load_raw_dataset(raw))
    else:
        people = read_json(raw / SIMULATION_FILE, "simulation", "udeansr_benchmark in another folder")["people"]
    return SimulatedDataset(name, scenario, raw, preprocessed, plan, people)


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
    with folder.lock(name):
        if not raw.is_dir():
            _make_raw(hr, raw, scenario, settings, processes)
        if not (preprocessed / PLANS_FILE).is_file():
            _logger.info("%s: planning", name)
            plan = plan_dataset(load_raw_dataset(raw), preprocessed, memory_gb, processes=processes).plan
            with_variants(plan, scenario.true_degradation).save(preprocessed / PLANS_FILE)
        dataset = read_dataset(folder, scenario)
        assert dataset is not None, "it was made a moment ago"
        found = _planned(dataset.plan).scale
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
    known: dict[str, str | Degradation] = {KNOWN_TRUNCATION: KNOWN_TRUNCATION, VARIETY: VARIETY}
    if degradation not in (None, TRUNCATION):
        known[TRUE] = degradation
    variants = {
        f"{base.name}_{word}": replace(
            base,
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
