"""The plan: what a person can read and edit between planning and everything after. Knows JSON; decides nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from udeansr.degradation.kspace import Degradation
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.strict_json import as_json, check_keys, from_json, read_json, write_json

PLANS_FILE = "plans.json"

_COUNTS = (
    "slab_slices", "batch_size", "features", "groups", "blocks", "discriminator_features",
    "epochs", "iterations_per_epoch",
)  # fmt: skip
_WORLD_AXIS = {"L": "L", "R": "L", "P": "P", "A": "P", "S": "S", "I": "S"}
_REMEDY = "udeansr_plan_and_preprocess -d DATASET"

SOURCE_DEGRADATIONS = ("measured", "truncation", "variety")

SMALLEST_PATCH = (3, 16, 16)
"""LR slices, rows and columns: the discriminators halve a patch four times, and a slab has two neighbours a slice."""


@dataclass(frozen=True)
class Configuration:
    """One way to train on a dataset: a scale, the slabs, the networks' size, the length of training.

    Attributes:
        name: the scale in the paper's notation, or the name of a hand-made variant.
        scale: in-plane x in-plane x through-plane.
        lr_spacing_mm: spacing of the LR, (Z, Y, X) in the plan's orientation, mm.
        hr_spacing_mm: spacing of the HR and of SR, ``lr_spacing_mm / scale``, mm.
        slab_slices: LR slices in a slab.
        patch_size: LR voxels of a training patch along (Y, X).
        turns: whether augmentation may turn patches by right angles in the plane.
        batch_size: slabs of each cohort in a batch.
        features, groups, blocks: width and depth of the networks (paper: 64, 5, 5).
        discriminator_features: width of the discriminators' first layer (paper: 64).
        epochs, iterations_per_epoch: length of training.
        source_degradation: what makes LR of the source HR: "measured" (the plan's ``degradation``), "truncation",
            "variety" (those of many scanners: the model then serves LR of a scanner that nobody knows), or a
            degradation that is known, as an object with the fields of :class:`Degradation`.
        inherits_from: the configuration whose values hold where this one has none, or None.
        reasons: why each value is what it is, in words.
    """

    name: str
    scale: str
    lr_spacing_mm: tuple[float, float, float]
    hr_spacing_mm: tuple[float, float, float]
    slab_slices: int
    patch_size: tuple[int, int]
    turns: bool
    batch_size: int
    features: int
    groups: int
    blocks: int
    discriminator_features: int
    epochs: int
    iterations_per_epoch: int
    source_degradation: str | Degradation = "measured"
    inherits_from: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def factors(self) -> Scale:
        """The scale as factors along (Z, Y, X)."""
        return Scale.parse(self.scale)

    @property
    def restores(self) -> bool:
        """Whether a network is shown each LR restored by its own measured degradation, beside the LR as it is."""
        return self.source_degradation == "variety"

    @property
    def shown_slices(self) -> int:
        """Slices of a slab as a network is shown them, the channels of its input."""
        return self.slab_slices * (2 if self.restores else 1)


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
            values["configurations"][name] = {
                key: value for key, value in own.items() if key == "inherits_from" or value != parent[key]
            }
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
    optional = {"inherits_from", "reasons", "source_degradation"}
    check_keys(values, {item.name for item in fields(Configuration)} - {"name"}, where, optional)
    try:
        values["lr_spacing_mm"] = _numbers("lr_spacing_mm", values, 3, (int, float))
        values["hr_spacing_mm"] = _numbers("hr_spacing_mm", values, 3, (int, float))
        values["patch_size"] = _numbers("patch_size", values, 2, (int,))
        for key in _COUNTS:
            _number(key, values[key], (int,))
        if not isinstance(values["turns"], bool):
            raise ValueError(f"'turns' is {values['turns']!r}; expected true or false")
        values["source_degradation"] = _source_degradation(values.get("source_degradation", "measured"))
        configuration = Configuration(name=name, **values)
        tiled = [lr / factor for lr, factor in zip(values["lr_spacing_mm"], configuration.factors.zyx, strict=True)]
        if any(abs(hr / mm - 1) > 1e-3 for hr, mm in zip(values["hr_spacing_mm"], tiled, strict=True)):
            raise ValueError(
                f"'hr_spacing_mm' is {list(values['hr_spacing_mm'])}; expected 'lr_spacing_mm' / {values['scale']}, "
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
            f"'source_degradation' is {value!r}; expected measured, truncation, variety, or an object with some of "
            f"{', '.join(sorted(known))}"
        )
    return Degradation(**value)


def _inherited(name: str, raw: dict[str, Any], where: str) -> dict[str, Any]:
    """The values of a configuration, its ancestors' where it has none; of their reasons those that still hold."""
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    lineage: list[str] = []
    ancestor: str | None = name
    while ancestor is not None:
        if ancestor not in raw or ancestor in lineage:
            trouble = (
                "inherits from itself" if ancestor in lineage else f"inherits from '{ancestor}', which is not there"
            )
            raise UdeansrError(f"{where}: it {trouble}; the plan has {', '.join(raw)}")
        lineage.append(ancestor)
        own = raw[ancestor]
        own_reasons = own.get("reasons", {}) if isinstance(own, dict) else None
        if not isinstance(own, dict) or not isinstance(own_reasons, dict):
            raise UdeansrError(f"{where}: '{ancestor}' or its 'reasons' is no object in braces; mend it")
        reasons |= {key: why for key, why in own_reasons.items() if key not in values and key not in reasons}
        values = {**own, **values}
        ancestor = own.get("inherits_from")
    return values | {"inherits_from": raw[name].get("inherits_from"), "reasons": reasons}


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
