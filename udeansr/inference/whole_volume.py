"""A method of slabs over a whole volume, up and down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from udeansr.batches.slabs import seen
from udeansr.image.volume import triple
from udeansr.inference.sliding_window import Progress, Slices, SlidingWindow
from udeansr.inference.test_time_augmentation import IDENTITY, FlipRotate
from udeansr.methods.method import Method
from udeansr.planning.configuration import VIEWS, View


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

    A voxel is the mean of all predictions for it: of the slabs that hold it, in all the transforms and views
    (:attr:`Task.views`). Of slabs along Z only slices that still wait for a prediction are kept; else the volume comes
    in one piece. Several threads may do this with one method.

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
    views = method.configuration.task.views if method.slab_slices else (VIEWS["Z"],)
    network_input = method.network_input(lr)

    def slices(number: int) -> Iterator[Slices]:
        view = views[number]
        length, rows, columns = (lr.shape[axis] for axis in view)
        slab = method.slab_slices or length
        window = SlidingWindow(
            length=length,
            slab=slab,
            stride=stride if method.slab_slices else slab,
            pixels=rows * columns * method.scale.y * method.scale.x,
            margin=method.margin_slices,
            thick_out=method.scale.z,
            device=torch.device(device),
            precision=precision,
        )
        moved = [transform.seen(view) for transform in transforms]
        return window.slices(
            method.super_resolve, seen(network_input, view), moved, std, _of_several(progress, number, len(views))
        )

    if views == (VIEWS["Z"],):
        return slices(0)
    shape = triple(n * factor for n, factor in zip(lr.shape, method.configuration.task.factors.zyx, strict=True))
    return _mean_over_views([(view, partial(slices, number)) for number, view in enumerate(views)], shape, std)


def _mean_over_views(
    predictions: Sequence[tuple[View, Callable[[], Iterator[Slices]]]], shape: tuple[int, int, int], std: bool
) -> Iterator[Slices]:
    """The mean of what slabs along several axes give, and the standard deviation over all predictions, in one piece."""
    total = np.zeros(shape, np.float32)
    squares = np.zeros(shape, np.float32) if std else None
    for view, slices in predictions:
        own, own_squares = seen(total, view), None if squares is None else seen(squares, view)
        for first, block, deviation in slices():
            own[first : first + len(block)] += block
            if own_squares is not None and deviation is not None:
                own_squares[first : first + len(block)] += block**2 + deviation**2
    total /= len(predictions)
    if squares is None:
        yield 0, total, None
    else:
        yield 0, total, np.sqrt(np.maximum(squares / len(predictions) - total**2, 0))


def _of_several(progress: Progress | None, number: int, views: int) -> Progress | None:
    """The progress of one view as a part of that of all."""
    if progress is None or views == 1:
        return progress
    return lambda done, total: progress(number * total + done, views * total)


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
    factors = method.configuration.task.factors.zyx
    shape = tuple(side * factor for side, factor in zip(lr.shape, factors, strict=True))
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
    scale, task = method.scale, method.configuration.task
    if any(side % factor for side, factor in zip(hr.shape, task.factors.zyx, strict=True)):
        raise ValueError(f"HR of {hr.shape} does not divide by {task.factors.zyx}")
    if type(method).degrade is Method.degrade:
        return None

    def degrade(slabs: Tensor) -> Tensor:
        degraded = method.degrade(slabs)
        assert degraded is not None, f"{method.name} defines degrade and returns None"
        return degraded

    shape = triple(side // factor for side, factor in zip(hr.shape, task.factors.zyx, strict=True))

    def slices(view: View) -> Iterator[Slices]:
        length = shape[view[0]]
        window = SlidingWindow(
            length=length,
            slab=method.slab_slices or length,
            stride=1 if method.slab_slices else length,
            pixels=hr.shape[view[1]] * hr.shape[view[2]],
            thick_in=scale.z,
            device=torch.device(device),
            precision=precision,
        )
        return window.slices(degrade, seen(hr[None], view))

    with _not_training(method):
        made = _mean_over_views([(view, partial(slices, view)) for view in task.views], shape, std=False)
        return _filled(np.empty(shape, np.float32), made)


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
