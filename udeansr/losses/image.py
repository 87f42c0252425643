"""Losses between two images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from udeansr.device import without_autocast
from udeansr.losses.adversarial import Form

WINDOW, SIGMA = 11, 1.5
"""The Gaussian of SSIM, in pixels."""

C1, C2 = 0.01**2, 0.03**2
"""Constants of SSIM for a data range of 1."""


def l1(x: Tensor, y: Tensor) -> Tensor:
    """L_1, equation 1: mean absolute difference of two tensors of one shape."""
    return F.l1_loss(x.float(), y.float())


def ssim_loss(x: Tensor, y: Tensor, form: Form = "paper") -> Tensor:
    """L_SSIM, equation 2: how far two slabs are from being structurally the same.

    N in the equation is the batch: SSIM is averaged over a slab, then taken from one, then squared.

    Args:
        x: (B, slices, Y, X), data range 1.
        y: the same shape.
        form: ``paper`` mean (1 - SSIM)^2, ``code`` mean 1 - SSIM^2, which near SSIM = 1 pulls much harder.
    Returns: one number, 0 for equal slabs.
    """
    similarity = ssim_map(x, y).mean((1, 2, 3))
    return (1 - similarity).square().mean() if form == "paper" else 1 - similarity.square().mean()


def reconstruction_losses(made: Tensor, real: Tensor, alpha: float, form: Form = "paper") -> dict[str, Tensor]:
    """L_1 and alpha L_SSIM between what a network restored of a pair and its truth, by name.

    Args:
        made: (B, slices, Y, X), data range 1.
        real: the same shape.
        alpha: weight of L_SSIM.
        form: as for :func:`structural`.
    """
    return {"l1": l1(made, real), "ssim": alpha * ssim_loss(made, real, form)}


def ssim_map(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity slice by slice: 11 x 11 Gaussian of sigma 1.5, zeros outside, data range 1.

    Args:
        x: (B, slices, Y, X).
        y: the same shape.
    Returns: (B, slices, Y, X), float32, 1 where equal.
    Source: Wang et al., IEEE TIP 2004; the borders as in the authors' code.
    """
    x, y = x.float(), y.float()
    # The contrast term needs only the sum of both squares: four blurred maps, not five.
    maps = torch.cat([x, y, x * x + y * y, x * y], dim=1)
    mean_x, mean_y, squares, product = _blur(maps).chunk(4, dim=1)
    means, mean_squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    alike = (2 * means + C1) * (2 * (product - means) + C2)
    return alike / ((mean_squares + C1) * (squares - mean_squares + C2))


def _blur(maps: Tensor) -> Tensor:
    """Blur each channel with the Gaussian, one axis after the other, zeros outside."""
    offsets = torch.arange(WINDOW, device=maps.device, dtype=torch.float32) - WINDOW // 2
    kernel = torch.exp(-offsets.square() / (2 * SIGMA**2))
    kernel = (kernel / kernel.sum()).expand(maps.shape[1], 1, 1, WINDOW)
    # Channels first: only so is a grouped convolution on a GPU done in true float32, not in TF32.
    maps = maps.contiguous(memory_format=torch.contiguous_format)
    with without_autocast(maps.device):
        rows = F.conv2d(maps, kernel, padding=(0, WINDOW // 2), groups=maps.shape[1])
        return F.conv2d(rows, kernel.mT, padding=(WINDOW // 2, 0), groups=maps.shape[1])
