"""From features on the LR grid to a slab, on that grid or a finer one. Knows features; knows no cohort."""

from __future__ import annotations

from torch import Tensor, nn

from udeansr.networks.rcan import RcanBody
from udeansr.networks.upsampler import Upsampler


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
