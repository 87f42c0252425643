"""The plan: what a person can read and edit between planning and everything after."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from udeansr.degradation.kspace import Degradation
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.errors import UdeansrError
from udeansr.image.grid import SPACING_TOLERANCE, Scale, reorient_geometry, spacing_difference, to_band
from udeansr.image.volume import Geometry, triple
from udeansr.strict_json import PositiveFloat, PositiveInt, as_json, from_json, read_json, write_json

PLANS_FILE = "plans.json"

_WORLD_AXIS = {"L": "L", "R": "L", "P": "P", "A": "P", "S": "S", "I": "S"}
_REMEDY = "udeansr_plan_and_preprocess -d DATASET"
_MEND = f"mend it, or plan again: {_REMEDY} --plan-again"

SourceDegradation = Literal["measured", "truncation", "randomized"]
SOURCE_DEGRADATIONS = get_args(SourceDegradation)

Spacing = tuple[PositiveFloat, PositiveFloat, PositiveFloat]

Contrast = Literal["as it is", "randomized"]

SlabAxes = Literal["Z", "Y", "X", "YX"]
BandAxes = Literal["", "Y", "X", "YX"]
View = tuple[int, int, int]
VIEWS: dict[str, View] = {"Z": (0, 1, 2), "Y": (1, 0, 2), "X": (2, 0, 1)}
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
        slab_axes: "Z", "Y" or "X": along which slabs are cut, networks convolve along the others; "YX": both, averaged.
        band_axes: along which HR is coarser than LR. Networks work at ``lr_spacing_mm``, the HR's there; what an LR
            holds beyond that is interpolated along the other axes and added to its SR.
        contrast: of the source HR in training: "as it is", or "randomized" (domain randomization: each HR image in
            several random contrasts), for LR of another contrast.
        rotate90: whether augmentation may rotate patches by right angles in the plane.
        source_degradation: what makes LR of the source HR: "measured" (the plan's ``degradation``), "truncation",
            "randomized" (domain randomization: those of many scanners, the model then serves LR of any), or a
            degradation that is known, as an object with the fields of :class:`Degradation`.
    """

    scale: str
    lr_spacing_mm: Spacing
    hr_spacing_mm: Spacing
    slab_slices: PositiveInt
    rotate90: bool
    source_degradation: SourceDegradation | Degradation = "measured"
    slab_axes: SlabAxes = "Z"
    band_axes: BandAxes = ""
    contrast: Contrast = "as it is"

    @property
    def views(self) -> tuple[View, ...]:
        """The order in which (Z, Y, X) are seen for each axis of slabs: that axis, rows, columns."""
        return tuple(VIEWS[axis] for axis in self.slab_axes)

    @property
    def slab_factors(self) -> Scale:
        """Along (slab axis, rows, columns)."""
        return Scale(*(self.factors.zyx[axis] for axis in self.views[0]))

    def least_lr_voxels(self, patch_size: tuple[int, int]) -> tuple[int, int, int]:
        """LR voxels along (Z, Y, X) of a volume that holds a slab of this patch in each view."""
        sides = (self.slab_slices, *patch_size)
        return triple(max(sides[view.index(axis)] for view in self.views) for axis in range(3))

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

    patch_size: tuple[PositiveInt, PositiveInt]
    batch_size: PositiveInt
    features: PositiveInt
    groups: PositiveInt
    blocks: PositiveInt
    discriminator_features: PositiveInt
    epochs: PositiveInt
    iterations_per_epoch: PositiveInt


TASK_KEYS = tuple(item.name for item in fields(Task))
SIZE_KEYS = tuple(item.name for item in fields(TrainingSize))


@dataclass(frozen=True)
class Protocol:
    """What holds for the LR of one protocol in a mixed cohort.

    Attributes:
        images: names of its images by group.
        orientation, lr_gain, degradation: as those of :class:`Plan`.
    """

    images: dict[str, tuple[str, ...]]
    orientation: str
    lr_gain: PositiveFloat
    degradation: MeasuredDegradation | None = None


@dataclass(frozen=True)
class Configuration:
    """One way to train on a dataset: the task and the size of its training.

    Attributes:
        name: the scale in the paper's notation, or the name of a hand-made variant.
        task: what is learned.
        size: how large the training is.
        inherits_from: the configuration whose values hold where this one has none, or None.
        reasons: why each value is what it is, in words, by the value's name.
        protocol: of a mixed cohort: whose LR it is for, and what holds for those in place of the plan's own values.
    """

    name: str
    task: Task
    size: TrainingSize
    inherits_from: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    protocol: Protocol | None = None

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
            known = ", ".join(self.configurations)
            raise UdeansrError(f"{self.dataset} has no configuration '{name}'; its plan has {known}")
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
    lr_gain: PositiveFloat
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
    if any(abs(hr / mm - 1) > 1e-3 for hr, mm in zip(task.hr_spacing_mm, tiled, strict=True)):
        raise UdeansrError(
            f"{where}: 'hr_spacing_mm' is {list(task.hr_spacing_mm)}; expected 'lr_spacing_mm' / {task.scale}, "
            f"along (Z, Y, X): {[round(mm, 6) for mm in tiled]}; {_MEND}"
        )
    return configuration


def _check_orientation(letters: str, where: str) -> None:
    """Refuse what is no orientation."""
    if sorted(_WORLD_AXIS.get(letter, "") for letter in letters) != ["L", "P", "S"]:
        raise UdeansrError(f"{where}: 'orientation' is '{letters}'; expected three letters such as SPL")


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
