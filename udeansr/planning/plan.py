"""The plan: what a person can read and edit between planning and everything after."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from udeansr.degradation.kspace import Degradation
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.strict_json import as_json, check_keys, from_json, read_json, write_json

PLANS_FILE = "plans.json"

_WORLD_AXIS = {"L": "L", "R": "L", "P": "P", "A": "P", "S": "S", "I": "S"}
_PARTS = ("task", "size", "reasons")
_REMEDY = "udeansr_plan_and_preprocess -d DATASET"

SOURCE_DEGRADATIONS = ("measured", "truncation", "randomized")

SMALLEST_PATCH = (3, 16, 16)
"""LR slices, rows and columns: the discriminators halve a patch four times, and a slab has two neighbours a slice."""


@dataclass(frozen=True)
class Task:
    """What is learned: grids, slabs and degradation, as the data decide them.

    Attributes:
        scale: in-plane x in-plane x through-plane.
        lr_spacing_mm: spacing of the LR, (Z, Y, X) in the plan's orientation, mm.
        hr_spacing_mm: spacing of the HR and of SR, ``lr_spacing_mm / scale``, mm.
        slab_slices: LR slices in a slab.
        rotate90: whether augmentation may rotate patches by right angles in the plane.
        source_degradation: what makes LR of the source HR: "measured" (the plan's ``degradation``), "truncation",
            "randomized" (domain randomization: those of many scanners, the model then serves LR of any), or a
            degradation that is known, as an object with the fields of :class:`Degradation`.
    """

    scale: str
    lr_spacing_mm: tuple[float, float, float]
    hr_spacing_mm: tuple[float, float, float]
    slab_slices: int
    rotate90: bool
    source_degradation: str | Degradation = "measured"

    @property
    def factors(self) -> Scale:
        """The scale as factors along (Z, Y, X)."""
        return Scale.parse(self.scale)

    @property
    def deconvolves(self) -> bool:
        """Whether a network is given each LR deconvolved by its own measured degradation, beside the LR as it is."""
        return self.source_degradation == "randomized"

    @property
    def input_slices(self) -> int:
        """Slices of a slab as a network is given them, the channels of its input."""
        return self.slab_slices * (2 if self.deconvolves else 1)


@dataclass(frozen=True)
class TrainingSize:
    """How large a training is: patches, batches, networks, length, as the memory decides them.

    Attributes:
        patch_size: LR voxels of a training patch along (Y, X).
        batch_size: slabs of each cohort in a batch.
        features, groups, blocks: width and depth of the networks (paper: 64, 5, 5).
        discriminator_features: width of the discriminators' first layer (paper: 64).
        epochs, iterations_per_epoch: length of training.
    """

    patch_size: tuple[int, int]
    batch_size: int
    features: int
    groups: int
    blocks: int
    discriminator_features: int
    epochs: int
    iterations_per_epoch: int


TASK_KEYS = tuple(item.name for item in fields(Task))
SIZE_KEYS = tuple(item.name for item in fields(TrainingSize))
_COUNTS = ("slab_slices", *(key for key in SIZE_KEYS if key != "patch_size"))


@dataclass(frozen=True)
class Configuration:
    """One way to train on a dataset: the task and the size of its training.

    Attributes:
        name: the scale in the paper's notation, or the name of a hand-made variant.
        task: what is learned.
        size: how large the training is.
        inherits_from: the configuration whose values hold where this one has none, or None.
        reasons: why each value is what it is, in words, by the value's name.
    """

    name: str
    task: Task
    size: TrainingSize
    inherits_from: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, *, inherits_from: str | None = None, **values: Any) -> Configuration:
        """A configuration of values by their names, those of the task and those of the size together."""
        reasons = values.pop("reasons", {})
        task = {key: values.pop(key) for key in TASK_KEYS if key in values}
        return cls(name, Task(**task), TrainingSize(**values), inherits_from, reasons)

    def changed(self, **values: Any) -> Configuration:
        """The same with other values of its task or its size, by their names, or of its own fields."""
        task = {key: values.pop(key) for key in TASK_KEYS if key in values}
        size = {key: values.pop(key) for key in SIZE_KEYS if key in values}
        return replace(self, task=replace(self.task, **task), size=replace(self.size, **size), **values)

    def values(self) -> dict[str, Any]:
        """All values of task and size by their names."""
        return {**vars(self.task), **vars(self.size)}


@dataclass(frozen=True)
class Plan:
    """What was decided for a dataset.

    Attributes:
        dataset: the dataset's folder name, ``Dataset001_Name``.
        orientation: three letters for (Z, Y, X), slab axis first: the orientation of all arrays.
        lr_gain: level of normalised LR over that of normalised HR of the same person; normalised LR is divided by it.
        configurations: by name.
        degradation: what lies between the cohorts beyond truncation, as the fingerprint measured it; None for nothing.
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
            known = ", ".join(self.configurations)
            raise UdeansrError(f"{self.dataset} has no configuration '{name}'; its plan has {known}")
        return self.configurations[name]

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON takes it; a variant says only what differs from what it inherits."""
        values = asdict(self)
        values["degradation"] = self.degradation and as_json(self.degradation)
        for name, configuration in self.configurations.items():
            own = values["configurations"][name]
            del own["name"]
            if configuration.inherits_from is None:
                del own["inherits_from"]
                continue
            parent = asdict(self.configurations[configuration.inherits_from])
            for part in ("task", "size"):
                own[part] = {key: value for key, value in own[part].items() if value != parent[part][key]}
            values["configurations"][name] = {key: value for key, value in own.items() if value}
        return json.loads(json.dumps(values))

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = PLANS_FILE) -> Plan:
        """Read a plan, resolving ``inherits_from``.

        Args:
            values: what JSON gave.
            where: the file, for messages.
        Raises:
            UdeansrError: naming an unknown, missing or ill-typed key, or an inheritance that leads nowhere.
        """
        check_keys(values, {item.name for item in fields(cls)}, where, {"degradation"})
        raw = values["configurations"]
        if not isinstance(raw, dict) or not raw:
            raise UdeansrError(f"{where}: 'configurations' holds none; plan again: {_REMEDY} --plan-again")
        orientation = str(values["orientation"])
        if sorted(_WORLD_AXIS.get(letter, "") for letter in orientation) != ["L", "P", "S"]:
            raise UdeansrError(f"{where}: 'orientation' is '{orientation}'; expected three letters such as SPL")
        try:
            _number("lr_gain", values["lr_gain"], (int, float))
        except ValueError as error:
            raise UdeansrError(f"{where}: {error}; 1 changes nothing") from error
        configurations = {name: _configuration(name, raw, where) for name in raw}
        degradation = values.get("degradation")
        if degradation is not None:
            try:
                degradation = from_json(MeasuredDegradation, degradation, "degradation")
            except UdeansrError as error:
                raise UdeansrError(f"{where}: {error}; mend it, or plan again: {_REMEDY} --plan-again") from error
        return cls(str(values["dataset"]), orientation, float(values["lr_gain"]), configurations, degradation)

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


def _configuration(name: str, raw: dict[str, Any], where: str) -> Configuration:
    """Build one configuration from its own values and those it inherits."""
    where = f"{where}, configuration '{name}'"
    values = _inherited(name, raw, where)
    check_keys(values, {"task", "size", "inherits_from", "reasons"}, where)
    task, size = values["task"], values["size"]
    check_keys(task, set(TASK_KEYS), f"{where}, task", {"source_degradation"})
    check_keys(size, set(SIZE_KEYS), f"{where}, size")
    try:
        for key in ("lr_spacing_mm", "hr_spacing_mm"):
            task[key] = _numbers(key, task, 3, (int, float))
        size["patch_size"] = _numbers("patch_size", size, 2, (int,))
        for key in _COUNTS:
            _number(key, (task | size)[key], (int,))
        if not isinstance(task["rotate90"], bool):
            raise ValueError(f"'rotate90' is {task['rotate90']!r}; expected true or false")
        task["source_degradation"] = _source_degradation(task.get("source_degradation", "measured"))
        made = Task(**task), TrainingSize(**size)
        configuration = Configuration(name, *made, values["inherits_from"], values["reasons"])
        tiled = [lr / n for lr, n in zip(task["lr_spacing_mm"], configuration.task.factors.zyx, strict=True)]
        if any(abs(hr / mm - 1) > 1e-3 for hr, mm in zip(task["hr_spacing_mm"], tiled, strict=True)):
            raise ValueError(
                f"'hr_spacing_mm' is {list(task['hr_spacing_mm'])}; expected 'lr_spacing_mm' / {task['scale']}, "
                f"along (Z, Y, X): {[round(mm, 6) for mm in tiled]}"
            )
    except (AttributeError, TypeError, ValueError, UdeansrError) as error:
        raise UdeansrError(f"{where}: {error}; mend it, or plan again: {_REMEDY} --plan-again") from error
    return configuration


def _source_degradation(value: Any) -> str | Degradation:
    """A word, or the fields of a known degradation."""
    if value in SOURCE_DEGRADATIONS:
        return value
    known = {item.name for item in fields(Degradation)}
    if not isinstance(value, dict) or set(value) - known:
        raise ValueError(
            f"'source_degradation' is {value!r}; expected measured, truncation, randomized, or an object with some of "
            f"{', '.join(sorted(known))}"
        )
    return Degradation(**value)


def _inherited(name: str, raw: dict[str, Any], where: str) -> dict[str, Any]:
    """The values of a configuration, its ancestors' where it has none; of their reasons those that still hold."""
    parts: dict[str, dict[str, Any]] = {"task": {}, "size": {}}
    reasons: dict[str, str] = {}
    lineage: list[str] = []
    ancestor: str | None = name
    while ancestor is not None:
        if ancestor not in raw or ancestor in lineage:
            other = f"inherits from '{ancestor}', which is not there"
            trouble = "inherits from itself" if ancestor in lineage else other
            raise UdeansrError(f"{where}: it {trouble}; the plan has {', '.join(raw)}")
        lineage.append(ancestor)
        own = raw[ancestor]
        if not isinstance(own, dict) or any(not isinstance(own.get(key, {}), dict) for key in _PARTS):
            raise UdeansrError(f"{where}: '{ancestor}', or its task, size or reasons, is no object in braces; mend it")
        check_keys(
            own, {"task", "size", "inherits_from", "reasons"}, where, {"task", "size", "inherits_from", "reasons"}
        )
        known = parts["task"] | parts["size"]
        reasons |= {key: why for key, why in own.get("reasons", {}).items() if key not in known and key not in reasons}
        parts = {part: {**own.get(part, {}), **values} for part, values in parts.items()}
        ancestor = own.get("inherits_from")
    return {**parts, "inherits_from": raw[name].get("inherits_from"), "reasons": reasons}


def _number(key: str, value: Any, kinds: tuple[type, ...]) -> None:
    """Refuse what is no positive number of the given kinds; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
        noun = "a whole number of at least 1" if kinds == (int,) else "a number above 0"
        raise ValueError(f"'{key}' is {value!r}; expected {noun}")


def _numbers(key: str, values: dict[str, Any], count: int, kinds: tuple[type, ...]) -> tuple:
    given = values[key]
    if not isinstance(given, list | tuple) or len(given) != count:
        raise ValueError(f"'{key}' is {given!r}; expected a list of {count} numbers")
    for value in given:
        _number(key, value, kinds)
    return tuple(given)
