"""The networks that all methods share, at the size that the plan says."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.image.grid import Scale
from udeansr.networks.anchor import AnchoredDecoder, AnchoredEncoder
from udeansr.networks.decoder import Decoder
from udeansr.networks.discriminator import Discriminator
from udeansr.networks.encoder import Encoder
from udeansr.networks.residual_network import ResidualNetwork
from udeansr.planning.configuration import Configuration

BLOCKS_FOR_ENCODER = 3
"""Residual blocks, of two convolutions each, in the place of the paper's encoder of six."""


class SlabNetwork(nn.Module):
    """An encoder to features on the LR grid and a TS-RCAN decoder, one after the other.

    Args:
        configuration: gives slab, scale, patch and size.
        anchor: whether features carry a copy of the image and the decoder adds to its interpolation.
        takes_hr: whether slabs on the HR grid go in; else on the LR grid.
        gives_hr: whether slabs on the HR grid come out; else on the LR grid.
        extra: further channels of a slab that goes in, after its slices.
    """

    def __init__(
        self, configuration: Configuration, anchor: bool, takes_hr: bool, gives_hr: bool, extra: int = 0
    ) -> None:
        super().__init__()
        size, scale, slices = configuration, configuration.task.slab_factors, configuration.task.slab_slices
        in_plane = (scale.y, scale.x)
        taken, downscale = (slices * scale.z, in_plane) if takes_hr else (slices, (1, 1))
        given, upscale = (slices * scale.z, in_plane) if gives_hr else (slices, (1, 1))
        depth = (size.size.groups, size.size.blocks, size.size.patch_size)
        if anchor:
            self.encoder = AnchoredEncoder(taken, slices, size.size.features, downscale, extra)
            self.decoder = AnchoredDecoder(slices, given, size.size.features, *depth, upscale)
        else:
            self.encoder = Encoder(taken + extra, size.size.features, downscale)
            self.decoder = Decoder(given, size.size.features, *depth, upscale)

    def forward(self, slab: Tensor) -> Tensor:
        """(B, slices + extra, Y, X) on the grid that goes in -> the same slab on that which comes out; any Y and X."""
        return self.decoder(self.encoder(slab))


def sr_network(configuration: Configuration, anchor: bool = True) -> SlabNetwork:
    """LR to HR: (B, slices, Y, X) -> (B, slices * sz, Y * sy, X * sx).

    Where the configuration restores, (B, 2 * slices, Y, X) go in: restored and as they are.
    """
    extra = configuration.task.input_slices - configuration.task.slab_slices
    return SlabNetwork(configuration, anchor, takes_hr=False, gives_hr=True, extra=extra)


def residual_network(configuration: Configuration) -> ResidualNetwork:
    """LR to HR as :func:`sr_network`, by as many residual blocks as make it as slow."""
    task, size = configuration.task, configuration.size
    blocks = BLOCKS_FOR_ENCODER + size.groups * (size.blocks + 1)
    return ResidualNetwork(
        task.slab_factors.zyx, size.features, blocks, task.slab_slices, task.input_slices - task.slab_slices
    )


def lr_translator(configuration: Configuration, anchor: bool = True) -> SlabNetwork:
    """LR to LR of another kind: (B, slices, Y, X) -> (B, slices, Y, X); anchored, it begins as the identity."""
    return SlabNetwork(configuration, anchor, takes_hr=False, gives_hr=False)


def degradation_network(configuration: Configuration, anchor: bool = True) -> SlabNetwork:
    """HR to LR: (B, slices * sz, Y * sy, X * sx) -> (B, slices, Y, X)."""
    return SlabNetwork(configuration, anchor, takes_hr=True, gives_hr=False)


def lr_discriminator(configuration: Configuration) -> Discriminator:
    """The VGG discriminator of LR slabs."""
    return Discriminator(
        configuration.task.slab_slices,
        configuration.size.patch_size,
        configuration.size.discriminator_features,
    )


def hr_discriminator(configuration: Configuration, slices: int) -> Discriminator:
    """The VGG discriminator of HR slabs of so many HR slices."""
    scale, (y, x) = configuration.task.slab_factors, configuration.size.patch_size
    return Discriminator(slices, (y * scale.y, x * scale.x), configuration.size.discriminator_features)


def shrink_cubically(hr: Tensor, scale: Scale) -> Tensor:
    """Clean LR of HR: cubic, wide enough to leave no alias, the field of view kept.

    Args:
        hr: (B, slices * sz, Y * sy, X * sx).
        scale: voxels merged along each axis.
    Returns: (B, slices, Y, X), float32.
    Source: Keys' cubic (a = -0.5) stretched by the scale, as the methods that begin with a "bicubic-down" take it.
    """
    slices, rows, columns = (
        side // factor for side, factor in zip(hr.shape[1:], (scale.z, scale.y, scale.x), strict=True)
    )
    image = hr.float()
    if (scale.y, scale.x) != (1, 1):
        image = F.interpolate(image, size=(rows, columns), mode="bicubic", antialias=True)
    if scale.z > 1:  # slices are the rows of an image whose columns are all voxels of a slice
        image = F.interpolate(image.flatten(2)[:, None], size=(slices, rows * columns), mode="bicubic", antialias=True)
        image = image[:, 0].unflatten(2, (rows, columns))
    return image
