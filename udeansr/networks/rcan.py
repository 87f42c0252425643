"""The body of RCAN: residual groups with channel attention.

Source: Zhang et al., ECCV 2018; TS-RCAN, arXiv:2111.14259.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTION = 16
"""Features for one inside channel attention."""

STEPS = 8
"""Steps that a window of local pooling takes over its own length."""


class ChannelAttention(nn.Module):
    """Weigh channels by their means over a window of the size of a training patch around each pixel.

    A training patch is one window: the mean is global, as in RCAN. A whole slice is larger, and its global mean is
    another statistic (more air, less brain) than the weights were trained on. There the window moves over the slice.

    Args:
        features: channels.
        window: (Y, X) of a training patch, in pixels of the features.
    """

    def __init__(self, features: int, window: tuple[int, int]) -> None:
        super().__init__()
        self.window = window
        hidden = max(1, features // REDUCTION)
        self.squeeze = nn.Conv2d(features, hidden, 1)
        self.excite = nn.Conv2d(hidden, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, Y, X) -> the same, each channel weighted by a number in (0, 1)."""
        means = window_means(x, self.window)
        weights = torch.sigmoid(self.excite(F.relu(self.squeeze(means))))
        return x * upsample_scores(weights, self.window, (x.shape[2], x.shape[3]))


class ResidualBlock(nn.Module):
    """RCAB: convolution, ReLU, convolution, channel attention, and the input added."""

    def __init__(self, features: int, window: tuple[int, int]) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=1)
        self.second = nn.Conv2d(features, features, 3, padding=1)
        self.attention = ChannelAttention(features, window)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, Y, X) -> the same shape."""
        return x + self.attention(self.second(F.relu(self.first(x), inplace=True)))


class ResidualGroup(nn.Module):
    """Blocks and a convolution, and the input added."""

    def __init__(self, features: int, blocks: int, window: tuple[int, int]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResidualBlock(features, window) for _ in range(blocks)))
        self.last = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, Y, X) -> the same shape."""
        return x + self.last(self.blocks(x))


class RcanBody(nn.Module):
    """A convolution, residual groups, a convolution, and the long skip over the groups."""

    def __init__(self, features: int, groups: int, blocks: int, window: tuple[int, int]) -> None:
        super().__init__()
        self.head = nn.Conv2d(features, features, 3, padding=1)
        self.groups = nn.Sequential(*(ResidualGroup(features, blocks, window) for _ in range(groups)))
        self.last = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features, Y, X) -> the same shape."""
        x = self.head(x)
        return x + self.last(self.groups(x))


def window_means(x: Tensor, window: tuple[int, int]) -> Tensor:
    """The mean of each channel over windows that move by an eighth of their length.

    Args:
        x: (B, C, Y, X).
        window: (Y, X); a side that is no longer than its window is averaged as a whole.
    Returns: (B, C, n, m), from the window at the first pixel to the one that holds the last; what of that lies outside
        does not count. (B, C, 1, 1) for a patch.
    """
    (y, step_y), (x_, step_x) = ((min(w, side), window_step(w)) for w, side in zip(window, x.shape[2:], strict=True))
    if (y, x_) == tuple(x.shape[2:]):
        return x.mean((2, 3), keepdim=True)
    # One axis after the other: a pixel is read 8 times, not 64. The sums are in float32 whatever the precision.
    rows = F.avg_pool2d(x, (y, 1), (step_y, 1), ceil_mode=True, count_include_pad=False)
    return F.avg_pool2d(rows, (1, x_), (1, step_x), ceil_mode=True, count_include_pad=False)


def upsample_scores(values: Tensor, window: tuple[int, int], sides: tuple[int, int]) -> Tensor:
    """Give each pixel the value of the window around it: the way back from :func:`window_means` to pixels.

    Args:
        values: (B, C, n, m), one for each window; bilinear between their centres, the nearest beyond the outer ones.
        window: (Y, X) as :func:`window_means` had it.
        sides: (Y, X) of the pixels.
    Returns: (B, C, Y, X); an axis of one window is left for broadcasting.
    """
    factors, margins = [], []
    for w, side, count in zip(window, sides, values.shape[2:], strict=True):
        moves = side > w
        factors.append(float(window_step(w)) if moves else 1.0)
        before = (w - window_step(w)) // 2
        margins.append((before, side - before - count * window_step(w)) if moves else (0, 0))
    if sides[0] > window[0] or sides[1] > window[1]:
        values = F.interpolate(values, scale_factor=factors, mode="bilinear")
        values = F.pad(values, (*margins[1], *margins[0]), mode="replicate")
    return values


def window_step(window: int) -> int:
    """How far the window moves, in pixels."""
    return max(1, window // STEPS)
