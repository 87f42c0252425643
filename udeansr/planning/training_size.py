"""Patch size, batch size, network size: the paper's, or what fits the memory, which is counted from feature maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from udeansr.errors import UdeansrError
from udeansr.planning.configuration import Task, TrainingSize

AUTOCAST_BYTES = 2
"""A feature map under autocast, bf16 or fp16, bytes a number. A training in fp32 takes twice as much."""

LOSS_MAPS = 22
"""Maps of a slab's size, float32, that L1 and SSIM keep for one pair of slabs."""

WEIGHT_BYTES = 24
"""A weight, its gradient and three moments of Adam/amsgrad in float32; its copy and the copy's gradient in half."""

AVERAGE_BYTES = 4
"""A weight that predicts: its moving average."""

GRADIENTS = 1.07
"""Maps on the way back, over those that are kept."""

RESERVED = 1.15
"""What a device's allocator holds beyond tensors and what convolutions work in: an estimate."""

CONTEXT_GB = 0.8
"""The device's own context and libraries: an estimate."""

ENCODER_MAPS = 6
BLOCK_MAPS, GROUP_MAPS, BODY_MAPS = 3, 1, 2
"""RCAB: after its ReLU, before its channel attention, its sum; a group: its sum; the body: its head and its sum."""

DISCRIMINATOR_MAPS = 1 + 2 * sum(
    w / n for w, n in zip((1, 2, 2, 4, 4, 8, 8, 8, 8), (4, 4, 16, 16, 64, 64, 256, 256, 1024), strict=True)
)
"""Maps of the first layer's size: that layer, then for each further one before and after its batch normalisation."""


@dataclass(frozen=True)
class Memory:
    """What a training takes.

    Attributes:
        kept_gb: feature maps kept for the way back.
        weights_gb: weights, gradients, moments, averages.
    """

    kept_gb: float
    weights_gb: float

    @property
    def tensors_gb(self) -> float:
        """All tensors at the peak of an iteration."""
        return GRADIENTS * self.kept_gb + self.weights_gb

    @property
    def total_gb(self) -> float:
        """What a device has to have."""
        return RESERVED * self.tensors_gb + CONTEXT_GB


def training_memory(task: Task, size: TrainingSize) -> Memory:
    """The memory of training UDEAN, the largest of the methods, under autocast; grows with every size in it.

    Args:
        task: its scale and slabs.
        size: of patches, batches and networks.
    """
    bytes_of_weights = WEIGHT_BYTES * weights(task, size) + AVERAGE_BYTES * generator_weights(task, size)
    return Memory(kept_bytes(task, size) / 2**30, bytes_of_weights / 2**30)


def kept_bytes(task: Task, size: TrainingSize) -> float:
    """What an iteration keeps for the way back under autocast, weights left out: the larger of its two turns.

    What the generators made is kept through both.
    """
    judged = 4 * _loss_numbers(task, size) + AUTOCAST_BYTES * _judged_numbers(task, size, 2, 4)
    judging = AUTOCAST_BYTES * _judged_numbers(task, size, 3, 4)
    return AUTOCAST_BYTES * _generators_numbers(task, size) + max(judged, judging)


def weights(task: Task, size: TrainingSize) -> int:
    """How many weights the four networks and three discriminators have, biases and the last layers left out."""
    widths = (1, 2, 2, 4, 4, 8, 8, 8, 8)
    discriminator = sum(a * b for a, b in zip((1, *widths), widths, strict=False))
    return generator_weights(task, size) + 3 * 9 * discriminator * size.discriminator_features**2


def generator_weights(task: Task, size: TrainingSize) -> int:
    """How many weights the four networks have, as :func:`weights` counts them."""
    scale, features = task.slab_factors, size.features
    body = 2 * size.groups * size.blocks + size.groups + 2
    attention = size.groups * size.blocks * features * features // 8
    return 9 * features**2 * (2 * 5 + 2 * body + scale.y * scale.x) + 2 * attention


def _generators_numbers(task: Task, size: TrainingSize) -> float:
    """Numbers kept by the generators: 1 + 2 encoders, 2 + 2 decoders."""
    lr, hr = _pixels(task, size)
    blocks = size.groups * size.blocks
    body = BLOCK_MAPS * blocks + GROUP_MAPS * size.groups + BODY_MAPS
    return size.features * ((3 * ENCODER_MAPS + 4 * body) * lr + 2 * hr)


def _judged_numbers(task: Task, size: TrainingSize, of_hr: int, of_lr: int) -> float:
    """Numbers kept by the discriminators, of so many slabs on the HR grid and so many slabs or features on the LR's."""
    lr, hr = _pixels(task, size)
    return size.discriminator_features * DISCRIMINATOR_MAPS * (of_hr * hr + of_lr * lr)


def _loss_numbers(task: Task, size: TrainingSize) -> float:
    """Numbers kept by the losses between slabs: two pairs of HR, one of LR."""
    lr, hr = _pixels(task, size)
    slices = task.slab_slices
    return LOSS_MAPS * slices * (2 * hr * task.slab_factors.z + lr)


def _pixels(task: Task, size: TrainingSize) -> tuple[int, int]:
    """In-plane pixels of a batch on the LR grid and on the HR grid."""
    rows, columns = size.patch_size
    lr = size.batch_size * rows * columns
    return lr, lr * task.slab_factors.y * task.slab_factors.x


PAPER = TrainingSize(
    patch_size=(64, 64), batch_size=8, features=64, groups=5, blocks=5, discriminator_features=64,
    epochs=200, iterations_per_epoch=250,
)  # fmt: skip
"""The paper's patches, batch and networks, in a tenth of its iterations."""

CPU = replace(PAPER, patch_size=(32, 32), features=32, groups=2, blocks=2, discriminator_features=16, epochs=20)

SACRIFICES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("half the batch", {"batch_size": 4}),
    ("a quarter of the batch", {"batch_size": 2}),
    ("half the side of a patch", {"patch_size": (32, 32)}),
    ("fewer groups and blocks", {"groups": 3, "blocks": 3}),
    ("narrower networks", {"features": 48, "discriminator_features": 48}),
    ("the networks of the CPU preset", {"features": 32, "groups": 2, "blocks": 2, "discriminator_features": 16}),
)
"""What is given up, in this order, each on top of those before, until a training fits. Last comes what SR quality hangs
on most. Two slabs stay in a batch, since the discriminators normalise over it."""

Shape = tuple[int, int, int]
Reasons = dict[str, str]


def size_for_cpu(task: Task, smallest: Shape) -> tuple[TrainingSize, Reasons]:
    """The size that two cores train well within an hour.

    Args:
        task: what is learned.
        smallest: (Z, Y, X) LR voxels that every image holds.
    Returns: the size, and why each of its values is so.
    """
    smaller = "smaller than the paper's {}, so that a CPU trains it in reasonable time"
    size = replace(CPU, patch_size=_patch(task, CPU, smallest))
    return size, {
        "patch_size": "half the paper's side, a quarter of the time" + _cut_note(task, CPU, smallest),
        "batch_size": "the paper's",
        **{name: smaller.format(getattr(PAPER, name)) for name in _OF_THE_NETWORKS},
        "epochs": f"with {size.iterations_per_epoch} iterations each well within an hour on 2 cores at x2x2x2",
        "iterations_per_epoch": _WHY_SHORT_EPOCHS,
    }


def size_for_memory(task: Task, smallest: Shape, memory_gb: float) -> tuple[TrainingSize, Reasons]:
    """The paper's size where it fits, else the first of ``SACRIFICES`` that does.

    Args:
        task: what is learned.
        smallest: (Z, Y, X) LR voxels that every image holds.
        memory_gb: what a training may take.
    Returns: the size, and why each of its values is so.
    Raises:
        UdeansrError: if not even the smallest size fits.
    """
    needed = float("inf")
    for whole, given_up in _sizes():
        size = replace(whole, patch_size=_patch(task, whole, smallest))
        needed = training_memory(task, size).total_gb
        if needed <= memory_gb:
            takes = f"training takes about {needed:.1f} of {memory_gb:.3g} GB"
            reasons = {name: _why(whole, name, given_up, takes) for name in ("patch_size", "batch_size")}
            reasons["patch_size"] += _cut_note(task, whole, smallest)
            reasons |= {name: _why(whole, name, given_up, takes) for name in _OF_THE_NETWORKS}
            reasons["epochs"] = f"with {size.iterations_per_epoch} iterations each a tenth of the paper's length"
            return size, {**reasons, "iterations_per_epoch": _WHY_SHORT_EPOCHS}
    raise UdeansrError(
        f"--memory-gb {memory_gb:g}: the smallest training of {task.scale} takes {needed:.1f} GB; "
        "give more, or plan for a CPU with --memory-gb 0"
    )


_OF_THE_NETWORKS = ("features", "groups", "blocks", "discriminator_features")
_WHY_SHORT_EPOCHS = "short epochs: validation and a checkpoint after each"


def _sizes() -> Iterator[tuple[TrainingSize, str]]:
    """The paper's size, then smaller ones, with what was given up."""
    size, given_up = PAPER, ""
    yield size, given_up
    for words, values in SACRIFICES:
        size = replace(size, **values)
        given_up = f"{given_up}, {words}" if given_up else words
        yield size, given_up


def _patch(task: Task, size: TrainingSize, smallest: Shape) -> tuple[int, int]:
    """The patch of a size, cut to what every image holds; square where it may be turned."""
    held = (min(smallest[view[axis]] for view in task.views) for axis in (1, 2))
    rows, columns = (_side(min(side, here)) for side, here in zip(size.patch_size, held, strict=True))
    if task.rotate90:
        rows = columns = min(rows, columns)
    return rows, columns


def _side(longest: int) -> int:
    """The longest side of a patch: of 32, which discriminators score place by place, else of 8."""
    return longest // 32 * 32 if longest >= 32 else longest // 8 * 8


def _cut_note(task: Task, size: TrainingSize, smallest: Shape) -> str:
    if _patch(task, size, smallest) == size.patch_size:
        return ""
    return f"; cut, as the smallest foreground has {smallest[1]} x {smallest[2]} LR voxels in the plane"


def _why(size: TrainingSize, name: str, given_up: str, takes: str) -> str:
    """Why a value is that of the paper, or what it was given up for."""
    value, paper = getattr(size, name), getattr(PAPER, name)
    if value == paper:
        return f"the paper's; {takes}"
    paper = paper[0] if isinstance(paper, tuple) else paper
    return f"the paper's is {paper}; given up are {given_up}; {takes}"
