"""Whether a slab, or features, come from the one cohort or the other."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (1, 2, 2, 4, 4, 8, 8, 8, 8)
"""Channels after the first layer, over the width of the first; every even place halves the sides."""

HALVINGS = 5


class Discriminator(nn.Module):
    """VGG in the layout for 128 x 128: one score a patch, without a sigmoid.

    Source: paper, figure 3; the layout is that of the public code the authors started from (BasicSR).

    Args:
        channels: slices of a slab, or features.
        patch: (Y, X) of the input. Sides that divide by 32 are judged place by place; any others by the mean over
            the places, so that a small patch has a judge as well.
        width: channels of the first layer (paper: 64).
    """

    def __init__(self, channels: int, patch: tuple[int, int], width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        inputs = width
        for place, factor in enumerate(WIDTHS):
            outputs = width * factor
            stride = 1 + (place + 1) % 2
            layers.append(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
            inputs = outputs
        places = 1
        if any(side % 2**HALVINGS for side in patch):
            layers.append(nn.AdaptiveAvgPool2d(1))
        else:
            places = (patch[0] >> HALVINGS) * (patch[1] >> HALVINGS)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.verdict = nn.Sequential(
            nn.Linear(inputs * places, 100), nn.LeakyReLU(0.2, inplace=True), nn.Linear(100, 1)
        )

    def forward(self, patch: Tensor) -> Tensor:
        """(B, channels, Y, X) of the size it was built for -> (B, 1); 1 means real, 0 made."""
        return self.verdict(self.layers(patch))
