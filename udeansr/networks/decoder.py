"""From features on the LR grid to a slab: TS-RCAN and its upsampler."""

from __future__ import annotations

from itertools import zip_longest

import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.networks.rcan import RcanBody


class Upsampler(nn.Sequential):
    """A convolution and a pixel shuffle for each stage of the in-plane factors; nothing at all where both are 1."""

    def __init__(self, features: int, upscale: tuple[int, int]) -> None:
        stages = []
        for y, x in scale_stages(upscale):
            stages += [nn.Conv2d(features, features * y * x, 3, padding=1), PixelShuffle(y, x)]
        super().__init__(*stages)


class PixelShuffle(nn.Module):
    """Lay channels out as pixels: (B, F * y * x, Y, X) -> (B, F, Y * y, X * x); the factors may differ."""

    def __init__(self, y: int, x: int) -> None:
        super().__init__()
        self.y, self.x = y, x

    def forward(self, features: Tensor) -> Tensor:
        """Channel ((f * y) + i) * x + j of a pixel goes to row i and column j of its cell, channel f."""
        if self.y == self.x:
            return F.pixel_shuffle(features, self.y)
        cells = features.unflatten(1, (-1, self.y, self.x))
        return cells.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)


def scale_stages(factors: tuple[int, int]) -> list[tuple[int, int]]:
    """Split in-plane factors (Y, X) into steps of prime factors: (4, 2) -> [(2, 2), (2, 1)], (1, 1) -> [].

    Raises:
        ValueError: if a factor is below 1.
    """
    if min(factors) < 1:
        raise ValueError(f"factors are whole numbers of at least 1, not {factors}")
    return list(zip_longest(_primes(factors[0]), _primes(factors[1]), fillvalue=1))


def _primes(number: int) -> list[int]:
    """The prime factors of a number, rising."""
    for divisor in range(2, number + 1):
        if number % divisor == 0:
            return [divisor, *_primes(number // divisor)]
    return []


class Decoder(nn.Module):
    """TS-RCAN: the body of residual groups, the upsampler, and a convolution to the slices (paper, figure 3).

    More slices than the encoder saw come out simply as more channels. There is no final activation.

    Args:
        slices: slices of the slab that comes out.
        features: channels (paper: 64).
        groups: residual groups (paper: 5).
        blocks: blocks in a group (paper: 5).
        window: (Y, X) of a training patch on the LR grid: what channel attention sees.
        upscale: in-plane factors (Y, X), 1 for a slab on the LR grid.
    """

    def __init__(
        self,
        slices: int,
        features: int,
        groups: int,
        blocks: int,
        window: tuple[int, int],
        upscale: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.body = RcanBody(features, groups, blocks, window)
        self.upsampler = Upsampler(features, upscale)
        self.tail = nn.Conv2d(features, slices, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, features, Y, X) -> (B, slices, Y * y, X * x); any Y and X."""
        return self.tail(self.upsampler(self.body(features)))
