"""From a slab to features on the LR grid."""

from __future__ import annotations

from torch import Tensor, nn

from udeansr.networks.decoder import scale_stages

CONVOLUTIONS = 6
"""Paper, section II.E."""


class Encoder(nn.Module):
    """Six convolutions with LeakyReLU(0.2) between them; the first go down to the LR grid (paper, figure 3).

    The way down has the stages of the way up (:func:`scale_stages`): the first convolution takes the stride 2 or 3,
    and for a factor of 4 the second takes the other 2. One stride of 4 would leave out every fourth voxel.

    Args:
        slices: slices of a slab, the channels of the input.
        features: channels of the output (paper: 64).
        downscale: in-plane factors (Y, X), 1 for a slab on the LR grid.
    """

    def __init__(self, slices: int, features: int, downscale: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        strides = scale_stages(downscale)
        strides += [(1, 1)] * (CONVOLUTIONS - len(strides))
        layers: list[nn.Module] = [_convolution(slices, features, strides[0])]
        for stride in strides[1:]:
            layers += [nn.LeakyReLU(0.2, inplace=True), _convolution(features, features, stride)]
        self.layers = nn.Sequential(*layers)

    def forward(self, slab: Tensor) -> Tensor:
        """(B, slices, Y * y, X * x) -> (B, features, Y, X)."""
        return self.layers(slab)


def _convolution(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Conv2d:
    """3 x 3 with padding 1; along an axis of stride 3 or more the kernel is one cell and needs none.

    So every voxel counts: with padding a stride of 3 would not see the last one.
    """
    kernel = (max(3, stride[0]), max(3, stride[1]))
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=(int(stride[0] < 3), int(stride[1] < 3)))
