"""A preprocessed dataset, as training reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.volume import Geometry
from udeansr.paths import SOURCE_HR, TARGET_LR, VALIDATION_HR, VALIDATION_LR
from udeansr.planning.configuration import Configuration
from udeansr.planning.domain import DOMAIN_FILE, Domain
from udeansr.planning.plan import PLANS_FILE, Plan
from udeansr.planning.plan_dataset import facts_folder
from udeansr.preprocessing.case_folder import (
    CASE_FILE,
    DEGRADED_FILE,
    FOREGROUND_FILE,
    VOXELS_FILE,
    read_array,
    read_record,
)
from udeansr.preprocessing.contrast_randomization import MARK
from udeansr.strict_json import as_json, differences, from_json, read_json_object

PREPROCESSED_GROUPS = (SOURCE_HR, TARGET_LR, VALIDATION_LR, VALIDATION_HR)
"""Test cases are not preprocessed: prediction reads them as they are, as it reads any other scan."""

COMPLETE_FILE = "preprocessed.json"
"""Written when all cases of a configuration are done; holds the plan's values and all cases."""

CASES_KEY = "cases"
"""In ``preprocessed.json``: the names of the cases by group; arrays made before it was written lack it."""

FORMAT = 2
"""Counts the changes of what the arrays mean; arrays of another format are made again."""


def planned_values(plan: Plan, configuration: Configuration) -> dict[str, Any]:
    """The values of a plan that decide what the arrays are, as JSON gives them back; the others may change freely."""
    values = {"format": FORMAT, "orientation": plan.orientation, "lr_gain": plan.lr_gain}
    values["degradation"] = plan.degradation and as_json(plan.degradation)
    return json.loads(json.dumps({**values, **_configured_values(configuration)}))


def _configured_values(configuration: Configuration) -> dict[str, Any]:
    names = ("scale", "hr_spacing_mm", "slab_slices", "slab_axes", "patch_size", "source_degradation", "contrast")
    names += ("lr_spacing_mm", "band_axes") if configuration.task.band_axes else ()
    values = asdict(configuration.task) | asdict(configuration.size)
    return {name: values[name] for name in names}


@dataclass(frozen=True)
class PreprocessedCase:
    """One volume, ready for training. It holds no array, so that it is cheap to hand to a worker process.

    Attributes:
        name: the case's name in the raw dataset.
        group: ``sourceHR``, ``targetLR``, ``validationLR`` or ``validationHR``.
        folder: where its arrays lie.
        geometry: where its voxels lie in the world, in the plan's orientation.
        intensity_scale: unit of the file that became 1, before ``lr_gain``; that of its LR, for ``validationHR``.
        level: what the voxels were divided by, ``lr_gain`` included.
        noise: standard deviation of the noise in each complex channel that ``degraded`` lacks, normalised.
    """

    name: str
    group: str
    folder: Path
    geometry: Geometry
    intensity_scale: float
    level: float
    noise: float = 0.0

    @property
    def subject(self) -> str:
        """The name, without the number of a contrast that preprocessing drew."""
        return self.name.partition(MARK)[0]

    @property
    def voxels(self) -> np.memmap:
        """(Z, Y, X) float32, normalised; mapped anew at each call.

        Raises:
            UdeansrError: if the file is missing or broken.
        """
        return read_array(self.folder / VOXELS_FILE)

    @property
    def foreground(self) -> np.memmap:
        """(N, 3) indices (Z, Y, X) of at most 10,000 voxels of the foreground, drawn at random; as :attr:`voxels`."""
        return read_array(self.folder / FOREGROUND_FILE)

    @property
    def degraded(self) -> np.memmap:
        """Of ``sourceHR``: (Z / sz, Y / sy, X / sx) float32, the voxels as the target's scanner would give them.

        Blurred as measured, without noise and before the magnitude is taken; of a pair, the target LR itself; where the
        configuration says "randomized", (scanners, 2, Z / sz, Y / sy, X / sx): deconvolved and as it is, with noise;
        as :attr:`voxels`.
        """
        return read_array(self.folder / DEGRADED_FILE)


@dataclass(frozen=True)
class PreprocessedDataset:
    """The arrays of one configuration of a dataset.

    Attributes:
        folder: ``<preprocessed root>/<dataset>/<configuration>``.
        domain_file: of the subjects; not there if planning left none, as versions before 0.2 did.
    """

    folder: Path
    domain_file: Path

    @classmethod
    def open(cls, folder: Path, configuration: Configuration) -> PreprocessedDataset:
        """Find the arrays of a configuration and check that they are those of the plan.

        Args:
            folder: ``<preprocessed root>/<dataset>``. Its ``plans.json``, if it is there, tells orientation and gain.
            configuration: the one to train.
        Raises:
            UdeansrError: if they are not there, not complete, or were made with other values.
        """
        own = folder / configuration.name
        again = f"run udeansr_plan_and_preprocess -d {folder.name}"
        try:
            made_with = json.loads((own / COMPLETE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UdeansrError(f"{own}: preprocessing is missing or not complete; {again}") from error
        domain_file = folder / DOMAIN_FILE
        if (folder / PLANS_FILE).is_file():
            plan = Plan.load(folder / PLANS_FILE)
            if configuration.name in plan.configurations:
                domain_file = facts_folder(folder, plan, configuration.name) / DOMAIN_FILE
                plan = plan.of(configuration.name)
            expected = planned_values(plan, configuration)
        else:
            expected = json.loads(json.dumps({"format": FORMAT, **_configured_values(configuration)}))
        found = made_with if isinstance(made_with, dict) else {}
        changes = differences({name: found.get(name) for name in expected}, expected)
        if changes:
            named = ", ".join(map(str, changes))
            raise UdeansrError(f"{own}: the arrays were made with other values than the plan's: {named}; {again}")
        return cls(own, domain_file)

    def domain(self) -> Domain | None:
        """What is learnt from: the dataset's domain, of a variety with the limits of all LR that were made.

        None where planning left none.

        Raises:
            UdeansrError: if it is broken, or a case is.
        """
        if not self.domain_file.is_file():
            return None
        domain = Domain.load(self.domain_file)
        records = [read_record(case.folder) for case in self.cases(SOURCE_HR)]
        made = [one for record in records if record is not None for one in record.measured]
        return domain.widened(made) if made else domain

    def cases(self, group: str) -> tuple[PreprocessedCase, ...]:
        """The cases of a group, sorted by name; none where the raw dataset has none.

        Raises:
            ValueError: if there is no such group.
            UdeansrError: if a case is broken, or one that preprocessing made is not there.
        """
        if group not in PREPROCESSED_GROUPS:
            raise ValueError(f"no group '{group}'; preprocessed are {', '.join(PREPROCESSED_GROUPS)}")
        there = sorted((self.folder / group).glob(f"*/{CASE_FILE}"))
        made = self._made(group)
        missing = sorted(made - {path.parent.name for path in there})
        if missing:
            raise UdeansrError(
                f"{self.folder / group / missing[0]}: its {CASE_FILE} is missing, {len(missing)} of the {len(made)} "
                f"cases that preprocessing made; run udeansr_plan_and_preprocess -d {self.folder.parent.name} again"
            )
        return tuple(read_case(path.parent, group) for path in there)

    def _made(self, group: str) -> set[str]:
        """The names of the cases that preprocessing made; none where it did not say."""
        remedy = f"udeansr_plan_and_preprocess -d {self.folder.parent.name}"
        path = self.folder / COMPLETE_FILE
        marker = read_json_object(path, "preprocessed dataset", remedy)
        made = from_json(_Made, {CASES_KEY: marker.get(CASES_KEY, {})}, str(path), f"{remedy} again")
        return set(made.cases.get(group, ()))


@dataclass(frozen=True)
class _Made:
    """The names of the cases by group."""

    cases: dict[str, list[str]]

    def __post_init__(self) -> None:
        """Refuse what is no name of a folder."""
        for name in (name for names in self.cases.values() for name in names):
            if not name.isprintable() or "/" in name:
                raise ValueError(f"'cases' has {name!r}, which is no name of a case")


def read_case(folder: Path, group: str) -> PreprocessedCase:
    """The case of a folder.

    Raises:
        UdeansrError: if it is broken.
    """
    record = read_record(folder)
    if record is None:
        raise UdeansrError(f"{folder}: a broken case; delete the folder and run udeansr_plan_and_preprocess again")
    return PreprocessedCase(
        folder.name, group, folder, record.geometry, record.intensity_scale, record.level, record.noise
    )
