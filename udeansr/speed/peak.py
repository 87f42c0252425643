"""The most that a device computes in one second here: of a large matrix product and of a large convolution."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from udeansr.device import half_precision, wait_for

ROUNDS = 5
"""The fastest counts: other work on the machine only slows down."""


def matrix_peak(device: torch.device, precision: str) -> float:
    """FLOP a second of a product of two square matrices.

    Args:
        device: where to compute.
        precision: ``bf16``, ``fp16`` or ``fp32``; of both matrices and of the product.
    """
    side = 1024 if device.type == "cpu" else 8192
    one, other = (torch.rand(side, side, device=device, dtype=_dtype(precision)) for _ in range(2))
    return 2 * side**3 / _seconds(lambda: one @ other, device)


def convolution_peak(device: torch.device, precision: str) -> float:
    """FLOP a second of a convolution of 3 x 3, 256 to 256 channels on slabs of 64 x 64, channels last.

    Args:
        device: as the precision, those of :func:`matrix_peak`.
        precision: of image and weights.
    """
    slabs, channels, side = 2 if device.type == "cpu" else 64, 256, 64
    dtype = _dtype(precision)
    convolution = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device, dtype=dtype)
    convolution = convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(slabs, channels, side, side, device=device, dtype=dtype)
    image = image.contiguous(memory_format=torch.channels_last)
    return 2 * 9 * channels**2 * slabs * side**2 / _seconds(lambda: convolution(image), device)


def _dtype(precision: str) -> torch.dtype:
    return half_precision(precision) or torch.float32


@torch.no_grad()
def _seconds(compute: Callable[[], object], device: torch.device) -> float:
    """The shortest of some rounds, after one that is not counted."""
    times = []
    for _ in range(ROUNDS + 1):
        wait_for(device)
        begun = time.perf_counter()
        compute()
        wait_for(device)
        times.append(time.perf_counter() - begun)
    return min(times[1:])
