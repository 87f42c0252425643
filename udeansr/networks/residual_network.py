"""A plain residual network from a slab to its SR: no encoder, no attention, one step up."""

from __future__ import annotations

from torch import Tensor, nn

from udeansr.networks.anchor import stretch
from udeansr.networks.decoder import PixelShuffle

STEP = 0.2
"""What a block adds to its input is scaled by it, so that a deep network without normalisation begins calmly.

Source: residual scaling as in EDSR (Lim et al., CVPR workshops 2017), which takes 0.1 with 256 features.
"""


class ResidualNetwork(nn.Module):
    """Residual blocks on the LR grid, a pixel shuffle, a convolution, and the sum with interpolation.

    It begins as that interpolation, cubic in the slices and linear across them: its last convolution is 0.

    Args:
        factors: along (slab axis, rows, columns).
        features: channels.
        blocks: residual blocks.
        slices: of a slab.
        extra: further channels of a slab that goes in, after its slices.
    Source: EDSR (Lim et al., CVPR workshops 2017); the sum with the interpolation as in VDSR (Kim et al., CVPR 2016).
    """

    def __init__(
        self, factors: tuple[int, int, int], features: int, blocks: int, slices: int = 1, extra: int = 0
    ) -> None:
        super().__init__()
        z, y, x = factors
        self.slices, self.made, self.upscale = slices, slices * z, (y, x)
        self.head = nn.Conv2d(slices + extra, features, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(features, features, 3, padding=1), nn.ReLU(), nn.Conv2d(features, features, 3, padding=1)
            )
            for _ in range(blocks)
        )
        self.up = nn.Sequential(
            nn.Conv2d(features, features * y * x, 3, padding=1), PixelShuffle(*self.upscale), nn.ReLU()
        )
        self.last = nn.Conv2d(features, self.made, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, slab: Tensor) -> Tensor:
        """(B, slices + extra, Y, X) -> (B, slices * z, Y * y, X * x) float32; any Y and X."""
        features = head = self.head(slab)
        for block in self.blocks:
            features = features + STEP * block(features)
        learned = self.last(self.up(features + head))
        return stretch(slab[:, : self.slices], self.made, self.upscale) + learned.float()
