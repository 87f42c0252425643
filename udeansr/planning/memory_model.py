"""How much memory a training would take, by counting feature maps. Knows sizes; knows no device and builds no network.

What training keeps for the way back is counted layer by layer from the architecture (documentation/planning.md): the
larger of the two turns of an iteration, generators and discriminators. A test holds the count to what torch keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    scale, features = configuration.factors, configuration.features
    body = 2 * configuration.groups * configuration.blocks + configuration.groups + 2
    attention = configuration.groups * configuration.blocks * features * features // 8
    convolutions = 2 * 5 + 2 * body + scale.y * scale.x
    widths = (1, 2, 2, 4, 4, 8, 8, 8, 8)
    judge = sum(a * b for a, b in zip((1, *widths), widths, strict=False))
    return 9 * features**2 * convolutions + 2 * attention + 3 * 9 * judge * configuration.discriminator_features**2


def _generators_turn(configuration: Configuration) -> float:
    """Numbers kept while the generators play: 1 + 2 encoders, 2 + 2 decoders, 2 + 2 + 2 judgements."""
    lr, hr = _pixels(configuration)
    blocks = configuration.groups * configuration.blocks
    body = BLOCK_MAPS * blocks + GROUP_MAPS * configuration.groups + BODY_MAPS
    networks = configuration.features * ((3 * ENCODER_MAPS + 4 * body) * lr + 2 * hr)
    return networks + configuration.discriminator_features * DISCRIMINATOR_MAPS * (2 * hr + 4 * lr)


def _discriminators_turn(configuration: Configuration) -> float:
    """Numbers kept while the discriminators play: HR slabs three times, LR slabs three times, features twice."""
    lr, hr = _pixels(configuration)
    return configuration.discriminator_features * DISCRIMINATOR_MAPS * (3 * hr + 5 * lr)


def _loss_numbers(configuration: Configuration) -> float:
    """Numbers kept by the losses between slabs: two pairs of HR, one of LR."""
    lr, hr = _pixels(configuration)
    slices = configuration.slab_slices
    return LOSS_MAPS * slices * (2 * hr * configuration.factors.z + lr)


def _pixels(configuration: Configuration) -> tuple[int, int]:
    """In-plane pixels of a batch on the LR grid and on the HR grid."""
    rows, columns = configuration.patch_size
    lr = configuration.batch_size * rows * columns
    return lr, lr * configuration.factors.y * configuration.factors.x
