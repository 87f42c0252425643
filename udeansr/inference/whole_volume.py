"""A method of slabs over a whole volume, up and down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from udeansr.inference.sliding_window import Progress, Slices, SlidingWindow
from udeansr.inference.test_time_augmentation import IDENTITY, FlipRotate
from udeansr.methods.method import Method


def super_resolved_slices(
    method: Method,
    lr: np.ndarray,
    *,
    stride: int = 1,
    transforms: Sequence[FlipRotate] = (IDENTITY,),
    std: bool = False,
    device: torch.device | str,
    precision: str,
    progress: Progress | None = None,
) -> Iterator[Slices]:
    """Super-resolve a volume slab by slab, whole slices at once, and give the slices in order as they are finished.

    A voxel is the mean of all predictions for it: of the slabs that hold it, in all the transforms. Only
    slices that still wait for a prediction are kept. Several threads may do this with one method.

    Args:
        method: does not train (``method.eval()``); its networks lie on the device.
        lr: (Z, Y, X) normalised, slab axis first.
        stride: LR slices from one slab to the next, 1 (best) to the method's ``output_slices`` (fastest).
        transforms: in which each slab is predicted; for a method that takes volumes whole, none but ``AS_IT_IS``.
        std: whether to give the standard deviation of the predictions.
        device: where to compute.
        precision: "fp32", "bf16" or "fp16" for the networks; means are in fp32 always.
        progress: called after each batch of slabs.
    Yields:
        sz slices at a time, (sz, Y * sy, X * sx) float32, in the unit of ``lr``.
    Raises:
        ValueError: if the method trains, or the stride leaves slices out.
        UdeansrError: if not even one slab fits in the device's memory.
    """
    if method.training:
        raise ValueError(f"{method.name} trains; expected method.eval() before")
    slab = method.slab_slices or lr.shape[0]
    window = SlidingWindow(
        length=lr.shape[0],
        slab=slab,
        stride=stride if method.slab_slices else slab,
        pixels=lr.shape[1] * lr.shape[2] * method.scale.y * method.scale.x,
        margin=method.margin_slices,
        thick_out=method.scale.z,
        device=torch.device(device),
        precision=precision,
    )
    return window.slices(method.super_resolve, method.network_input(lr), transforms, std, progress)


def super_resolve_volume(
    method: Method,
    lr: np.ndarray,
    *,
    stride: int = 1,
    device: torch.device | str,
    precision: str,
    progress: Progress | None = None,
) -> np.ndarray:
    """Super-resolve a volume by a method that may be in training, to which it returns.

    Args:
        method: its networks lie on the device.
        lr: (Z, Y, X) normalised, slab axis first.
        stride: LR slices from one slab to the next.
        device: where to compute.
        precision: as for :func:`super_resolved_slices`.
        progress: called after each batch of slabs.
    Returns: (Z * sz, Y * sy, X * sx) float32, in the unit of ``lr``.
    Raises:
        ValueError, UdeansrError: as :func:`super_resolved_slices`.
    """
    shape = tuple(side * factor for side, factor in zip(lr.shape, method.scale.zyx, strict=True))
    with _not_training(method):
        slices = super_resolved_slices(method, lr, stride=stride, device=device, precision=precision, progress=progress)
        return _filled(np.empty(shape, np.float32), slices)


def degrade_volume(method: Method, hr: np.ndarray, *, device: torch.device | str, precision: str) -> np.ndarray | None:
    """Degrade an HR volume as the method learned it, slab by slab, averaged where slabs overlap.

    Args:
        method: its networks lie on the device.
        hr: (Z, Y, X) normalised, slab axis first; each side divides by its scale.
        device: where to compute.
        precision: as in :func:`super_resolved_slices`.
    Returns: (Z / sz, Y / sy, X / sx) float32, or None if the method learns no degradation.
    Raises:
        ValueError: if a side does not divide.
        UdeansrError: if not even one slab fits in the device's memory.
    """
    scale = method.scale
    if any(side % factor for side, factor in zip(hr.shape, scale.zyx, strict=True)):
        raise ValueError(f"HR of {hr.shape} does not divide by {scale.zyx}")
    if type(method).degrade is Method.degrade:
        return None

    def degrade(slabs: Tensor) -> Tensor:
        degraded = method.degrade(slabs)
        assert degraded is not None, f"{method.name} defines degrade and returns None"
        return degraded

    shape = tuple(side // factor for side, factor in zip(hr.shape, scale.zyx, strict=True))
    window = SlidingWindow(
        length=shape[0],
        slab=method.slab_slices or shape[0],
        stride=1 if method.slab_slices else shape[0],
        pixels=hr.shape[1] * hr.shape[2],
        thick_in=scale.z,
        device=torch.device(device),
        precision=precision,
    )
    with _not_training(method):
        return _filled(np.empty(shape, np.float32), window.slices(degrade, hr[None]))


@contextmanager
def _not_training(method: Method) -> Iterator[None]:
    """Hold a method out of training; one that does not train is not touched, so that threads can share it."""
    training = method.training
    if training:
        method.eval()
    try:
        yield
    finally:
        if training:
            method.train()


def _filled(volume: np.ndarray, slices: Iterator[Slices]) -> np.ndarray:
    for first, block, _ in slices:
        volume[first : first + len(block)] = block
    return volume
