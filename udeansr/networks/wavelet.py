"""The Haar transform of slabs, and a judge of its bands. Knows channels; knows neither cohort nor loss.

Source: Wei et al., Unsupervised real-world image super resolution via domain-distance aware training, CVPR 2021.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RECEPTIVE_FIELD = 13
"""Side of what a place of the band judge sees, in pixels of a band: three convolutions of 5."""


def haar(slab: Tensor) -> tuple[Tensor, Tensor]:
    """One level of the Haar transform, in plane.

    Args:
        slab: (B, slices, Y, X), Y and X even.
    Returns: the low band (B, slices, Y / 2, X / 2), the mean of each 2 x 2 cell; and the high bands LH, HL and HH,
        orthonormal, (B, 3 * slices, Y / 2, X / 2). Both float32.
    Raises:
        ValueError: if a side is odd.
    """
    if slab.shape[-2] % 2 or slab.shape[-1] % 2:
        raise ValueError(f"a slab of {slab.shape[-2]} x {slab.shape[-1]}; expected even sides")
    image = slab.float()
    upper_left, upper_right = image[..., ::2, ::2], image[..., ::2, 1::2]
    lower_left, lower_right = image[..., 1::2, ::2], image[..., 1::2, 1::2]
    low = (upper_left + upper_right + lower_left + lower_right) / 4
    across = (upper_left - upper_right + lower_left - lower_right) / 2
    down = (upper_left + upper_right - lower_left - lower_right) / 2
    diagonal = (upper_left - upper_right - lower_left + lower_right) / 2
    return low, torch.cat([across, down, diagonal], dim=1)


class BandDiscriminator(nn.Module):
    """Judges the high bands of a slab place by place.

    The source brings bands to 0 to 1 first (x / 2 + 1/2). The half is left out here: the first bias can hold it, and
    with it, at the learning rate of this project, judges stay undecided.

    Args:
        slices: of a slab.
        width: channels of the first layer (the source: 64).
    """

    def __init__(self, slices: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3 * slices, width, 5, padding=2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 5, padding=2),
            nn.InstanceNorm2d(2 * width, affine=True),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 4 * width, 5, padding=2),
            nn.InstanceNorm2d(4 * width, affine=True),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(4 * width, 1, 1),
        )

    def forward(self, bands: Tensor) -> Tensor:
        """(B, 3 * slices, Y, X) high bands -> (B, 1, Y, X) logits: above 0 for real."""
        return self.layers(bands * 0.5)


def spread(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """What a judge says of each pixel: the mean over all places that see it.

    Args:
        scores: (B, 1, Y, X) of places, each of which sees ``RECEPTIVE_FIELD`` places around.
        size: (Y, X) of the image that is judged.
    Returns: (B, 1, *size), float32.
    """
    mean = F.avg_pool2d(
        scores.float(), RECEPTIVE_FIELD, stride=1, padding=RECEPTIVE_FIELD // 2, count_include_pad=False
    )
    return F.interpolate(mean, size=size, mode="bilinear", align_corners=False)
