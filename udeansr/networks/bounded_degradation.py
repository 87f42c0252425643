"""A degradation that can be no more than that: a learned transfer function and a noise level.

Each axis has a symmetric kernel whose sum is 1. Its transfer function is real and 1 at frequency 0: it can blur or
sharpen, but it cannot move anything, change the level or draw. :meth:`BoundedDegradation.curve` lets people read it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.device import without_autocast

REACH_VOXELS = (1, 4, 4)
"""How far the kernels reach to either side along (slices, Y, X); a slice of a thin slab has few neighbours."""

FIRST_NOISE = 1e-3
"""Standard deviation of the noise that is added before anything is learned, normalised intensity."""


class BoundedDegradation(nn.Module):
    """A slab on the LR grid, with what another scanner would have done to it: nothing before the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.ParameterList(nn.Parameter(torch.zeros(reach)) for reach in REACH_VOXELS)
        self.log_noise = nn.Parameter(torch.tensor(FIRST_NOISE).log())

    @property
    def noise(self) -> Tensor:
        """Standard deviation of the noise that is added in each complex channel, normalised intensity."""
        return self.log_noise.exp()

    def forward(self, slab: Tensor) -> Tensor:
        """(B, slices, Y, X) -> the same shape, float32, not negative; fresh noise at each call."""
        with without_autocast(slab.device):  # half precision would round the small changes away
            image = slab.float()[:, None]
            for axis, taps in enumerate(self.taps):
                image = _filter(image, taps, 2 + axis)
            image = image[:, 0]
            channels = self.noise * torch.randn(2, *image.shape, device=image.device)
            return torch.sqrt((image + channels[0]).square() + channels[1].square() + 1e-12)

    def curve(self, axis: int, frequency: Tensor) -> Tensor:
        """The factor of an amplitude along an axis, 0 to 2 for (slices, Y, X).

        Args:
            axis: of the slab.
            frequency: |f| / Nyquist, any shape.
        """
        taps = self.taps[axis]
        waves = torch.cos(torch.pi * frequency[..., None] * torch.arange(1, len(taps) + 1, device=taps.device))
        return 1 + 2 * ((waves - 1) * taps).sum(-1)


def _filter(image: Tensor, taps: Tensor, axis: int) -> Tensor:
    """Convolve (B, 1, slices, Y, X) along one axis with the symmetric kernel of ``taps``; its edge is replicated."""
    kernel = torch.cat([taps.flip(0), (1 - 2 * taps.sum())[None], taps])
    sides = [side for other in (4, 3, 2) for side in ((len(taps),) * 2 if other == axis else (0, 0))]
    shape = [-1 if other == axis else 1 for other in range(5)]
    return F.conv3d(F.pad(image, sides, mode="replicate"), kernel.reshape(shape))
