"""Whether a slab, or features, come from the one cohort or the other."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from udeansr import distributed
from udeansr.device import without_autocast

Normalization = Literal["none", "batch", "instance", "spectral"]

WIDTHS = (1, 2, 2, 4, 4, 8, 8, 8, 8)
"""Channels after the first layer, over the width of the first; every even place halves the sides."""

HALVINGS = 5

SLOPE = 0.2
"""Of LeakyReLU below zero."""


class _MeanOfAll(torch.autograd.Function):
    """The mean of a tensor over all processes, through which gradients reach what each of them has put in."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Own values -> the mean of all."""
        return distributed.average(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Each loss counts as much as it does in the mean of the losses of all processes."""
        return distributed.average(gradients[0].clone())


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that does not count its batches: with a fixed momentum nothing depends on their number.

    Attributes:
        synchronized: whether the shares of several processes (:mod:`udeansr.distributed`) are normalised as the one
            batch that they are, and not each alone.
    """

    synchronized = True

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, Y, X) -> the same shape."""
        assert self.momentum is not None, "without a momentum batches would have to be counted"
        if self.training and self.synchronized and distributed.size() > 1:
            return self._normalized_together(input)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )

    def _normalized_together(self, shares: Tensor) -> Tensor:
        """The same with the mean and the variance of all processes' shares, which are of one size; in float32.

        Torch's SyncBatchNorm does this on CUDA alone.
        """
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        with without_autocast(shares.device):
            values = shares.float()
            mean = _MeanOfAll.apply(values.mean((0, 2, 3)))
            centred = values - mean[:, None, None]
            variance = _MeanOfAll.apply(centred.square().mean((0, 2, 3)))
            with torch.no_grad():
                count = distributed.size() * values.numel() // values.shape[1]
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
            scale = self.weight.float() * torch.rsqrt(variance + self.eps)
            return (centred * scale[:, None, None] + self.bias.float()[:, None, None]).to(shares.dtype)


class Discriminator(nn.Module):
    """VGG in the layout for 128 x 128: one score a patch, without a sigmoid.

    Source: paper, figure 3; the layout is that of the public code the authors started from (BasicSR).

    Args:
        channels: slices of a slab, or features.
        patch: (Y, X) of the input. Sides that divide by 32 are judged place by place; any others by the mean over
            the places, so that a small patch has a judge as well.
        width: channels of the first layer (paper: 64).
        normalization: ``batch``, the layout's; ``instance``; ``spectral``: of the weights; ``none``. Batches of real
            and made images are normalised apart, so that with ``batch`` a judge sees neither gain nor offset of a whole
            batch, and with ``instance`` those of no image.
    """

    def __init__(
        self, channels: int, patch: tuple[int, int], width: int = 64, normalization: Normalization = "batch"
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
        inputs = width
        for place, factor in enumerate(WIDTHS):
            outputs = width * factor
            stride = 1 + (place + 1) % 2
            normalized = normalization in ("batch", "instance")
            layers.append(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=not normalized))
            if normalization == "batch":
                layers.append(BatchNorm2d(outputs))
            elif normalization == "instance":
                layers.append(nn.InstanceNorm2d(outputs, affine=True))
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
            inputs = outputs
        places = 1
        if any(side % 2**HALVINGS for side in patch):
            layers.append(nn.AdaptiveAvgPool2d(1))
        else:
            places = (patch[0] >> HALVINGS) * (patch[1] >> HALVINGS)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.verdict = nn.Sequential(
            nn.Linear(inputs * places, 100), nn.LeakyReLU(SLOPE, inplace=True), nn.Linear(100, 1)
        )
        if normalization in ("none", "spectral"):
            self._keep_variance()
        if normalization == "spectral":
            for layer in (*self.layers, *self.verdict):
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    spectral_norm(layer)

    def _keep_variance(self) -> None:
        """Begin with weights that neither shrink nor swell what goes through: no normalisation would mend it."""
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, SLOPE)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, patches: Tensor, groups: int = 1) -> Tensor:
        """(groups * B, channels, Y, X) of the size it was built for -> (groups * B, 1); 1 means real, 0 made.

        Args:
            patches: batches one after the other.
            groups: how many; batch normalisation sees each alone.
        """
        for layer in self.layers:
            if isinstance(layer, BatchNorm2d) and groups > 1:
                patches = torch.cat([layer(group) for group in patches.chunk(groups)])
            else:
                patches = layer(patches)
        return self.verdict(patches)
