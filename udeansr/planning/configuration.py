"""A configuration of the plan: the task as the data decide it, the size as memory does, and whose LR it is for."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Le

from udeansr.degradation.kspace import Degradation
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.image.grid import Scale
from udeansr.image.volume import triple

SourceDegradation = Literal["measured", "truncation", "randomized"]
SOURCE_DEGRADATIONS = get_args(SourceDegradation)

SpacingMm = Annotated[float, Ge(1e-3), Le(1e3)]
Spacing = tuple[SpacingMm, SpacingMm, SpacingMm]
Gain = Annotated[float, Ge(1e-4), Le(1e4)]
Features = Annotated[int, Ge(1), Le(1024)]
Depth = Annotated[int, Ge(1), Le(100)]
PatchSide = Annotated[int, Ge(1), Le(4096)]
Count = Annotated[int, Ge(1), Le(10**6)]
"""Types of planned values: their bounds are far beyond what is of use, and what computes still takes them."""

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
    slab_slices: Annotated[int, Ge(1), Le(255)]
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

    patch_size: tuple[PatchSide, PatchSide]
    batch_size: Annotated[int, Ge(1), Le(65536)]
    features: Features
    groups: Depth
    blocks: Depth
    discriminator_features: Annotated[int, Ge(1), Le(1024)]
    epochs: Count
    iterations_per_epoch: Count


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
    lr_gain: Gain
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
