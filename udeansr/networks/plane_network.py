"""A 2-D network that makes rows: super-resolution of planes in which one axis is that of thick slices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEP = 0.2
"""What a block adds to its input is scaled by it, so that a deep network without normalisation begins calmly.

Source: residual scaling as in EDSR (Lim et al., CVPR workshops 2017), which takes 0.1 with 256 features.
"""


class PlaneNetwork(nn.Module):
    """Residual blocks on the LR rows, rows interleaved, and the sum with cubic interpolation along the rows.

    It begins as cubic interpolation: its last convolution is 0.

    Args:
        factor: rows that come out for each that goes in.
        features: channels.
        blocks: residual blocks.
    """

    def __init__(self, factor: int, features: int, blocks: int) -> None:
        super().__init__()
        self.factor = factor
        self.head = nn.Conv2d(1, features, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(features, features, 3, padding=1), nn.ReLU(), nn.Conv2d(features, features, 3, padding=1)
            )
            for _ in range(blocks)
        )
        self.up = nn.Conv2d(features, features * factor, 3, padding=1)
        self.last = nn.Conv2d(features, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, 1, rows, columns) -> (B, 1, rows * factor, columns) float32; any rows and columns."""
        features = head = self.head(planes)
        for block in self.blocks:
            features = features + STEP * block(features)
        rows = interleave_rows(self.up(features + head), self.factor)
        return cubic_rows(planes.float(), self.factor) + self.last(F.relu(rows)).float()


def interleave_rows(features: Tensor, factor: int) -> Tensor:
    """(B, C * factor, rows, columns) -> (B, C, rows * factor, columns): pixel shuffle along the rows alone."""
    batch, channels, rows, columns = features.shape
    apart = features.reshape(batch, channels // factor, factor, rows, columns)
    return apart.transpose(2, 3).reshape(batch, channels // factor, rows * factor, columns)


def cubic_rows(planes: Tensor, factor: int) -> Tensor:
    """Cubic interpolation along the rows; the field of view is kept, beyond the ends the last row goes on.

    Args:
        planes: (B, 1, rows, columns).
        factor: rows that come out for each.
    Returns: (B, 1, rows * factor, columns).
    Source: R. Keys, IEEE Trans. ASSP 29(6), 1981, with a = -0.5.
    """
    position = (torch.arange(factor, device=planes.device, dtype=planes.dtype) + 0.5) / factor - 0.5
    distance = (torch.arange(-2, 3, device=planes.device, dtype=planes.dtype)[None] - position[:, None]).abs()
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    kernel = torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros_like(far)))
    with torch.autocast(planes.device.type, enabled=False):
        padded = F.pad(planes, (0, 0, 2, 2), mode="replicate")
        return interleave_rows(F.conv2d(padded, kernel[:, None, :, None]), factor)
