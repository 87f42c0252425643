"""Networks that carry a plain copy of the image along and learn what is missing.

The first channels of the features are the image itself on the LR grid, shrunk by plain averaging. A decoder puts the
interpolated copy under what it makes. So the four networks begin as averaging and interpolation, not as zero, and the
grid and the level are given, not learned: nothing has to find out where the image lies.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.device import without_autocast
from udeansr.networks.decoder import Decoder
from udeansr.networks.encoder import Encoder


class AnchoredEncoder(nn.Module):
    """An encoder of fewer features, and the image on the LR grid before them.

    Args:
        slices: slices of a slab, the channels of the input.
        lr_slices: slices of the same slab on the LR grid; divides ``slices``.
        features: channels of the output, ``lr_slices`` of them the image.
        downscale: in-plane factors (Y, X), 1 for a slab on the LR grid.
        extra: further channels after those slices, of which there is no copy.
    """

    def __init__(
        self, slices: int, lr_slices: int, features: int, downscale: tuple[int, int] = (1, 1), extra: int = 0
    ) -> None:
        super().__init__()
        self.slices, self.lr_slices, self.downscale = slices, lr_slices, downscale
        self.learned = Encoder(slices + extra, features - lr_slices, downscale)

    def forward(self, slab: Tensor) -> Tensor:
        """(B, slices + extra, Y * y, X * x) -> (B, features, Y, X)."""
        copied = shrink(slab[:, : self.slices], self.lr_slices, self.downscale)
        return torch.cat([copied, self.learned(slab)], dim=1)


class AnchoredDecoder(nn.Module):
    """The interpolated image, and what a decoder adds to it: nothing before the first step of training.

    Args:
        lr_slices: the first channels of the features, which are the image.
        slices: slices of the slab that comes out; a multiple of ``lr_slices``.
        features, groups, blocks, window, upscale: as for :class:`Decoder`.
    """

    def __init__(
        self,
        lr_slices: int,
        slices: int,
        features: int,
        groups: int,
        blocks: int,
        window: tuple[int, int],
        upscale: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.lr_slices, self.slices, self.upscale = lr_slices, slices, upscale
        self.learned = Decoder(slices, features, groups, blocks, window, upscale)
        nn.init.zeros_(self.learned.tail.weight)
        nn.init.zeros_(self.learned.tail.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(B, features, Y, X) -> (B, slices, Y * y, X * x)."""
        return stretch(features[:, : self.lr_slices], self.slices, self.upscale) + self.learned(features)


def shrink(slab: Tensor, lr_slices: int, downscale: tuple[int, int]) -> Tensor:
    """The mean of the HR voxels in each LR voxel: (B, lr_slices * z, Y * y, X * x) -> (B, lr_slices, Y, X), float32."""
    thin = slab.float().unflatten(1, (lr_slices, -1)).mean(2)
    return F.avg_pool2d(thin, downscale) if max(downscale) > 1 else thin


def stretch(slab: Tensor, slices: int, upscale: tuple[int, int]) -> Tensor:
    """Interpolate onto the HR grid, the field of view kept: linear across slices, cubic in them.

    Args:
        slab: (B, lr_slices, Y, X).
        slices: that come out, a multiple of ``lr_slices``.
        upscale: in-plane factors (Y, X).
    Returns: (B, slices, Y * y, X * x), float32.
    """
    fine = slab.float()
    if slices != slab.shape[1]:
        with without_autocast(slab.device):  # it would round the image to half precision
            fine = torch.einsum("oi,biyx->boyx", _across(slab.shape[1], slices, slab.device), fine)
    if max(upscale) > 1:
        # With antialias, which upwards does nothing else, the kernel is Keys' (a = -0.5): it keeps ramps straight.
        factors = (float(upscale[0]), float(upscale[1]))
        fine = F.interpolate(fine, scale_factor=factors, mode="bicubic", antialias=True)
    return fine


def _across(lr_slices: int, slices: int, device: torch.device) -> Tensor:
    """(slices, lr_slices) weights of linear interpolation; the end slices are replicated beyond the ends."""
    place = ((torch.arange(slices, device=device) + 0.5) * lr_slices / slices - 0.5).clamp(0, lr_slices - 1)
    return (1 - (place[:, None] - torch.arange(lr_slices, device=device)).abs()).clamp(min=0)
