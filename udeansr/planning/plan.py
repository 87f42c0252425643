"""The plan: what a person can read and edit between planning and everything after."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.errors import UdeansrError, did_you_mean
from udeansr.image.grid import SPACING_TOLERANCE, reorient_geometry, spacing_difference, to_band
from udeansr.image.volume import Geometry
from udeansr.planning.configuration import Configuration, Gain, Protocol
from udeansr.strict_json import as_json, from_json, read_json, write_json

PLANS_FILE = "plans.json"

_WORLD_AXIS = {"L": "L", "R": "L", "P": "P", "A": "P", "S": "S", "I": "S"}
_REMEDY = "udeansr_plan_and_preprocess -d DATASET"
_MEND = f"mend it, or plan again: {_REMEDY} --plan-again"


@dataclass(frozen=True)
class Plan:
    """What was decided for a dataset.

    Attributes:
        dataset: the dataset's folder name, ``Dataset001_Name``.
        orientation: three letters for (Z, Y, X), slab axis first: the orientation of all arrays.
        lr_gain: level of normalised LR over that of normalised HR of the same subject; normalised LR is divided by it.
        configurations: by name.
        degradation: what lies between the cohorts beyond truncation, as the fingerprint measured it; None for nothing.

    Of a mixed cohort orientation, gain and degradation are those of the first protocol; :meth:`of` gives another's.
    """

    dataset: str
    orientation: str
    lr_gain: float
    configurations: dict[str, Configuration]
    degradation: MeasuredDegradation | None = None

    def configuration(self, name: str) -> Configuration:
        """The configuration of a name.

        Raises:
            UdeansrError: if the plan has none of that name.
        """
        if name not in self.configurations:
            known = self.configurations
            raise UdeansrError(
                f"{self.dataset} has no configuration {name!r}{did_you_mean(name, known)}; its plan has "
                f"{', '.join(known)}"
            )
        return self.configurations[name]

    def of(self, name: str) -> Plan:
        """The plan for one configuration: with its protocol's orientation, gain and degradation in their place.

        Raises:
            UdeansrError: as :meth:`configuration`.
        """
        own = self.configuration(name).protocol
        if own is None:
            return self
        return replace(self, orientation=own.orientation, lr_gain=own.lr_gain, degradation=own.degradation)

    def spacing_deviation(self, geometry: Geometry, configuration: Configuration) -> float:
        """How far an LR grid, in the plan's orientation, is from a configuration's spacing: the worst axis, a part.

        Along the band axes a finer one is as good as its own.
        """
        task, spacing_mm = configuration.task, reorient_geometry(geometry, self.orientation).spacing_mm
        return spacing_difference(to_band(spacing_mm, task.lr_spacing_mm, task.band_axes), task.lr_spacing_mm)

    def fits(self, geometry: Geometry, configuration: Configuration, tolerance: float = SPACING_TOLERANCE) -> bool:
        """Whether an LR grid, in the plan's orientation, has the spacing of a configuration (to 2 %)."""
        return self.spacing_deviation(geometry, configuration) <= tolerance

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON takes it; a variant says only what differs from what it inherits."""
        values = as_json(self)
        whole = as_json(self)["configurations"]
        for name, configuration in self.configurations.items():
            own = values["configurations"][name]
            del own["name"]
            if configuration.protocol is None:
                del own["protocol"]
            if configuration.inherits_from is None:
                del own["inherits_from"]
                continue
            parent = whole[configuration.inherits_from]
            for part in ("task", "size"):
                own[part] = {key: value for key, value in own[part].items() if value != parent[part][key]}
            values["configurations"][name] = {key: value for key, value in own.items() if value}
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = PLANS_FILE) -> Plan:
        """Read a plan, resolving ``inherits_from``.

        Args:
            values: what JSON gave.
            where: the file, for messages.
        Raises:
            UdeansrError: naming an unknown, missing or ill-typed key, or an inheritance that leads nowhere.
        """
        stored = from_json(_StoredPlan, values, where, _MEND)
        if not stored.configurations:
            raise UdeansrError(f"{where}: 'configurations' holds none; {_MEND}")
        _check_orientation(stored.orientation, where)
        configurations = {name: _configuration(name, stored.configurations, where) for name in stored.configurations}
        return cls(**{**vars(stored), "configurations": configurations})

    def save(self, path: Path) -> None:
        """Write the plan as JSON, whole or not at all."""
        write_json(self.as_dict(), path)

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read ``plans.json``.

        Raises:
            UdeansrError: if the file is missing, is no JSON or no plan.
        """
        return cls.from_dict(read_json(path, "plan", _REMEDY), str(path))


@dataclass(frozen=True)
class _StoredConfiguration:
    """A configuration as it lies in the file: without what it inherits."""

    task: dict[str, Any] = field(default_factory=dict)
    size: dict[str, Any] = field(default_factory=dict)
    inherits_from: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    protocol: Protocol | None = None


@dataclass(frozen=True)
class _StoredPlan:
    """A plan as it lies in the file."""

    dataset: str
    orientation: str
    lr_gain: Gain
    configurations: dict[str, _StoredConfiguration]
    degradation: MeasuredDegradation | None = None


def _configuration(name: str, stored: dict[str, _StoredConfiguration], where: str) -> Configuration:
    """Build one configuration from its own values and those it inherits."""
    where = f"{where}, configuration '{name}'"
    whole = vars(_with_inherited(name, stored, where))
    if whole["protocol"] is not None:
        _check_orientation(whole["protocol"].orientation, where)
        whole = {**whole, "protocol": as_json(whole["protocol"])}
    configuration = from_json(Configuration, {"name": name, **whole}, where, _MEND)
    task = configuration.task
    try:
        tiled = [lr / n for lr, n in zip(task.lr_spacing_mm, task.factors.zyx, strict=True)]
    except UdeansrError as error:
        raise UdeansrError(f"{where}: {error}; {_MEND}") from error
    if len({tuple(task.factors.zyx[axis] for axis in view) for view in task.views}) != 1:
        raise UdeansrError(
            f"{where}: 'slab_axes' is {task.slab_axes}, and the factors along Y and X differ ({task.scale}); expected "
            f"one of the two; {_MEND}"
        )
    if configuration.size.features <= task.slab_slices:
        raise UdeansrError(
            f"{where}: 'features' is {configuration.size.features}, and slabs have {task.slab_slices} slices; expected "
            f"more features than slices; {_MEND}"
        )
    if any(abs(hr / mm - 1) > 1e-3 for hr, mm in zip(task.hr_spacing_mm, tiled, strict=True)):
        raise UdeansrError(
            f"{where}: 'hr_spacing_mm' is {list(task.hr_spacing_mm)}; expected 'lr_spacing_mm' / {task.scale}, "
            f"along (Z, Y, X): {[round(mm, 6) for mm in tiled]}; {_MEND}"
        )
    return configuration


def _check_orientation(letters: str, where: str) -> None:
    """Refuse what is no orientation."""
    if sorted(_WORLD_AXIS.get(letter, "") for letter in letters) != ["L", "P", "S"]:
        raise UdeansrError(f"{where}: 'orientation' is {letters!r}; expected three letters such as SPL")


def _with_inherited(name: str, stored: dict[str, _StoredConfiguration], where: str) -> _StoredConfiguration:
    """A configuration with its ancestors' values where it has none; of their reasons those that still hold."""
    task: dict[str, Any] = {}
    size: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    lineage: list[str] = []
    protocol: Protocol | None = None
    ancestor: str | None = name
    while ancestor is not None:
        if ancestor not in stored or ancestor in lineage:
            other = f"inherits from '{ancestor}', which is not there"
            trouble = "inherits from itself" if ancestor in lineage else other
            raise UdeansrError(f"{where}: it {trouble}; the plan has {', '.join(stored)}")
        lineage.append(ancestor)
        own = stored[ancestor]
        protocol = protocol or own.protocol
        known = {*task, *size, *reasons}
        reasons |= {key: why for key, why in own.reasons.items() if key not in known}
        task, size = {**own.task, **task}, {**own.size, **size}
        ancestor = own.inherits_from
    return _StoredConfiguration(task, size, stored[name].inherits_from, reasons, protocol)
