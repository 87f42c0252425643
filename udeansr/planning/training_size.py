"""How large a training is made: the paper's size, or what fits the memory, which is counted from feature maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from udeansr.errors import UdeansrError
from udeansr.planning.plan import Configuration

AUTOCAST_BYTES = 2
"""A feature map under autocast, bf16 or fp16, bytes a number. A training in fp32 takes twice as much."""

LOSS_MAPS = 22
"""Maps of a slab's size, float32, that L1 and SSIM keep for one pair of slabs."""

WEIGHT_BYTES = 26
"""A weight: itself, its gradient and three moments of Adam/amsgrad in float32, its average, its copy for autocast."""

WORKSPACE = 1.3
"""Gradients on the way back, the workspace of convolutions and what the allocator cannot use, over what is kept."""

CONTEXT_GB = 0.8
"""The device's own context and libraries."""

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
    def total_gb(self) -> float:
        """All of it, with workspace and context."""
        return WORKSPACE * self.kept_gb + self.weights_gb + CONTEXT_GB


def training_memory(configuration: Configuration) -> Memory:
    """The memory of training UDEAN, the largest of the methods, under autocast; grows with every size in it.

    Args:
        configuration: scale, slab, patch, batch and the networks' size are read.
    """
    return Memory(kept_bytes(configuration) / 2**30, WEIGHT_BYTES * weights(configuration) / 2**30)


def kept_bytes(configuration: Configuration) -> float:
    """What an iteration keeps for the way back under autocast, weights left out: the larger of its two turns."""
    generators = AUTOCAST_BYTES * _generators_turn(configuration) + 4 * _loss_numbers(configuration)
    return max(generators, AUTOCAST_BYTES * _discriminators_turn(configuration))


def weights(configuration: Configuration) -> int:
    """How many weights the four networks and three discriminators have, biases and the last layers left out."""
    scale, features = configuration.task.factors, configuration.size.features
    body = 2 * configuration.size.groups * configuration.size.blocks + configuration.size.groups + 2
    attention = configuration.size.groups * configuration.size.blocks * features * features // 8
    convolutions = 2 * 5 + 2 * body + scale.y * scale.x
    widths = (1, 2, 2, 4, 4, 8, 8, 8, 8)
    judge = sum(a * b for a, b in zip((1, *widths), widths, strict=False))
    return 9 * features**2 * convolutions + 2 * attention + 3 * 9 * judge * configuration.size.discriminator_features**2


def _generators_turn(configuration: Configuration) -> float:
    """Numbers kept while the generators play: 1 + 2 encoders, 2 + 2 decoders, 2 + 2 + 2 judgements."""
    lr, hr = _pixels(configuration)
    blocks = configuration.size.groups * configuration.size.blocks
    body = BLOCK_MAPS * blocks + GROUP_MAPS * configuration.size.groups + BODY_MAPS
    networks = configuration.size.features * ((3 * ENCODER_MAPS + 4 * body) * lr + 2 * hr)
    return networks + configuration.size.discriminator_features * DISCRIMINATOR_MAPS * (2 * hr + 4 * lr)


def _discriminators_turn(configuration: Configuration) -> float:
    """Numbers kept while the discriminators play: HR slabs three times, LR slabs three times, features twice."""
    lr, hr = _pixels(configuration)
    return configuration.size.discriminator_features * DISCRIMINATOR_MAPS * (3 * hr + 5 * lr)


def _loss_numbers(configuration: Configuration) -> float:
    """Numbers kept by the losses between slabs: two pairs of HR, one of LR."""
    lr, hr = _pixels(configuration)
    slices = configuration.task.slab_slices
    return LOSS_MAPS * slices * (2 * hr * configuration.task.factors.z + lr)


def _pixels(configuration: Configuration) -> tuple[int, int]:
    """In-plane pixels of a batch on the LR grid and on the HR grid."""
    rows, columns = configuration.size.patch_size
    lr = configuration.size.batch_size * rows * columns
    return lr, lr * configuration.task.factors.y * configuration.task.factors.x


PAPER_EPOCHS, CPU_EPOCHS, ITERATIONS_PER_EPOCH = 200, 20, 250


@dataclass(frozen=True)
class Size:
    """What the memory decides: side of a patch (LR voxels), slabs in a batch, width and depth of the networks."""

    patch: int
    batch: int
    features: int
    groups: int
    blocks: int
    discriminator_features: int


PAPER = Size(patch=64, batch=8, features=64, groups=5, blocks=5, discriminator_features=64)
CPU = Size(patch=32, batch=8, features=32, groups=2, blocks=2, discriminator_features=32)

SACRIFICES: tuple[tuple[str, dict[str, int]], ...] = (
    ("half the batch", {"batch": 4}),
    ("a quarter of the batch", {"batch": 2}),
    ("half the side of a patch", {"patch": 32}),
    ("fewer groups and blocks", {"groups": 3, "blocks": 3}),
    ("narrower networks", {"features": 48, "discriminator_features": 48}),
    ("the networks of the CPU preset", {"features": 32, "groups": 2, "blocks": 2, "discriminator_features": 32}),
)
"""What is given up, in this order, each on top of those before, until a training fits. Last comes what SR quality hangs
on most. Two slabs stay in a batch, since the discriminators normalise over it."""


Shape = tuple[int, int, int]


def size_for_cpu(base: Configuration, smallest: Shape) -> Configuration:
    """The size that two cores train well within an hour.

    Args:
        base: a configuration whose data side (scale, spacings, slab, turns) is decided.
        smallest: (Z, Y, X) LR voxels that every image holds.
    Returns: the configuration with sizes, length and their reasons.
    """
    paper = "smaller than the paper's {}, so that a CPU trains it in reasonable time"
    reasons = {
        "patch_size": "half the paper's side, a quarter of the time" + _cut_note(base, CPU, smallest),
        "batch_size": "the paper's",
        "features": paper.format(PAPER.features),
        "groups": paper.format(PAPER.groups),
        "blocks": paper.format(PAPER.blocks),
        "discriminator_features": paper.format(PAPER.discriminator_features),
        "epochs": f"with {ITERATIONS_PER_EPOCH} iterations each well within an hour on 2 cores at x2x2x2",
        "iterations_per_epoch": "short epochs: validation and a checkpoint after each",
    }
    return _sized(base.changed(epochs=CPU_EPOCHS, reasons=base.reasons | reasons), CPU, smallest)


def size_for_memory(base: Configuration, smallest: Shape, memory_gb: float) -> Configuration:
    """The paper's size where it fits, else the first of ``SACRIFICES`` that does.

    Args:
        base: a configuration whose data side (scale, spacings, slab, turns) is decided.
        smallest: (Z, Y, X) LR voxels that every image holds.
        memory_gb: what a training may take.
    Returns: the configuration with sizes, length and their reasons.
    Raises:
        UdeansrError: if not even the smallest size fits.
    """
    needed = float("inf")
    for size, given_up in _sizes():
        configuration = _sized(base, size, smallest)
        needed = training_memory(configuration).total_gb
        if needed <= memory_gb:
            reasons = base.reasons | _memory_reasons(configuration, size, given_up, memory_gb)
            reasons["patch_size"] += _cut_note(base, size, smallest)
            return configuration.changed(epochs=PAPER_EPOCHS, reasons=reasons)
    raise UdeansrError(
        f"--memory-gb {memory_gb:g}: the smallest training of {base.name} takes {needed:.1f} GB; "
        "give more, or plan for a CPU with --memory-gb 0"
    )


def _sizes() -> Iterator[tuple[Size, str]]:
    """The paper's size, then smaller ones, with what was given up."""
    size, given_up = PAPER, ""
    yield size, given_up
    for words, values in SACRIFICES:
        size = replace(size, **values)
        given_up = f"{given_up}, {words}" if given_up else words
        yield size, given_up


def _sized(base: Configuration, size: Size, smallest: Shape) -> Configuration:
    return base.changed(
        patch_size=_patch(base, size, smallest),
        batch_size=size.batch,
        features=size.features,
        groups=size.groups,
        blocks=size.blocks,
        discriminator_features=size.discriminator_features,
    )


def _patch(base: Configuration, size: Size, smallest: Shape) -> tuple[int, int]:
    """The patch of a size, cut to what every image holds; square where it may be turned."""
    rows, columns = (_side(min(size.patch, available)) for available in smallest[1:])
    if base.task.rotate90:
        rows = columns = min(rows, columns)
    return rows, columns


def _side(longest: int) -> int:
    """The longest side of a patch: of 32, which discriminators judge place by place, else of 8."""
    return longest // 32 * 32 if longest >= 32 else longest // 8 * 8


def _cut_note(base: Configuration, size: Size, smallest: Shape) -> str:
    if _patch(base, size, smallest) == (size.patch, size.patch):
        return ""
    return f"; cut, as the smallest foreground has {smallest[1]} x {smallest[2]} LR voxels in the plane"


def _memory_reasons(configuration: Configuration, size: Size, given_up: str, memory_gb: float) -> dict[str, str]:
    takes = f"training takes about {training_memory(configuration).total_gb:.1f} of {memory_gb:.3g} GB"

    def why(value: int, paper: int) -> str:
        return (
            f"the paper's; {takes}" if value == paper else f"the paper's is {paper}; given up are {given_up}; {takes}"
        )

    return {
        "patch_size": why(size.patch, PAPER.patch),
        "batch_size": why(size.batch, PAPER.batch),
        "features": why(size.features, PAPER.features),
        "groups": why(size.groups, PAPER.groups),
        "blocks": why(size.blocks, PAPER.blocks),
        "discriminator_features": why(size.discriminator_features, PAPER.discriminator_features),
        "epochs": f"with {ITERATIONS_PER_EPOCH} iterations each a tenth of the paper's length",
        "iterations_per_epoch": "short epochs: validation and a checkpoint after each",
    }
