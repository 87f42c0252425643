"""The plan: what a person can read and edit between planning and everything after. Knows JSON; decides nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale

PLANS_FILE = "plans.json"


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
    inherits_from: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def factors(self) -> Scale:
        """The scale as factors along (Z, Y, X)."""
        return Scale.parse(self.scale)


@dataclass(frozen=True)
class Plan:
    """What was decided for a dataset.

    Attributes:
        dataset: the dataset's folder name, ``Dataset001_Name``.
        orientation: three letters for (Z, Y, X), slab axis first: the orientation of all arrays.
        lr_gain: level of normalised LR over normalised HR, as the fingerprint measured it; LR is divided by it.
        configurations: by name.
    """

    dataset: str
    orientation: str
    lr_gain: float
    configurations: dict[str, Configuration]

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
        _check_keys(values, {item.name for item in fields(cls)}, where, optional=set())
        raw = values["configurations"]
        if not isinstance(raw, dict) or not raw:
            raise UdeansrError(f"{where}: 'configurations' is empty; plan again: udeansr_plan_and_preprocess")
        configurations = {name: _configuration(name, raw, where) for name in raw}
        return cls(str(values["dataset"]), str(values["orientation"]), float(values["lr_gain"]), configurations)

    def save(self, path: Path) -> None:
        """Write the plan as JSON, whole or not at all."""
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(json.dumps(self.as_dict(), indent=2) + "\n")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read ``plans.json``.

        Raises:
            UdeansrError: if the file is missing, is no JSON or no plan.
        """
        if not path.is_file():
            raise UdeansrError(f"{path}: there is no plan; make one: udeansr_plan_and_preprocess -d DATASET")
        try:
            values = json.loads(path.read_text())
        except ValueError as error:
            raise UdeansrError(
                f"{path}: no JSON ({error}); mend it, or plan again: udeansr_plan_and_preprocess"
            ) from error
        return cls.from_dict(values, str(path))


def _configuration(name: str, raw: dict[str, Any], where: str) -> Configuration:
    """Build one configuration from its own values and those it inherits."""
    where = f"{where}, configuration '{name}'"
    values: dict[str, Any] = {}
    lineage: list[str] = []
    ancestor: str | None = name
    while ancestor is not None:
        if ancestor not in raw or ancestor in lineage:
            trouble = (
                "inherits from itself" if ancestor in lineage else f"inherits from '{ancestor}', which is not there"
            )
            raise UdeansrError(f"{where}: it {trouble}; the plan has {', '.join(raw)}")
        lineage.append(ancestor)
        values = {**raw[ancestor], **values}
        ancestor = raw[ancestor].get("inherits_from")
    known = {item.name for item in fields(Configuration)} - {"name"}
    _check_keys(values, known, where, optional={"inherits_from", "reasons"})
    values["inherits_from"] = raw[name].get("inherits_from")
    values["name"] = name
    try:
        for key, kind in (("lr_spacing_mm", float), ("hr_spacing_mm", float), ("patch_size", int)):
            values[key] = tuple(kind(number) for number in values[key])
        configuration = Configuration(**values)
        counts = ("slab_slices", "batch_size", "features", "groups", "blocks", "discriminator_features")
        for key in (*counts, "epochs", "iterations_per_epoch"):
            if not isinstance(values[key], int) or values[key] < 1:
                raise ValueError(f"'{key}' is {values[key]!r}, expected a whole number of at least 1")
        _ = configuration.factors
    except (TypeError, ValueError, UdeansrError) as error:
        raise UdeansrError(f"{where}: {error}") from error
    return configuration


def _check_keys(values: Any, known: set[str], where: str, optional: set[str]) -> None:
    """Refuse unknown keys and missing ones, by name."""
    if not isinstance(values, dict):
        raise UdeansrError(f"{where}: expected an object with the keys {', '.join(sorted(known))}")
    unknown = sorted(set(values) - known)
    if unknown:
        raise UdeansrError(f"{where}: unknown key '{unknown[0]}'; known are {', '.join(sorted(known))}")
    missing = sorted(known - optional - set(values))
    if missing:
        raise UdeansrError(f"{where}: the key '{missing[0]}' is missing")
