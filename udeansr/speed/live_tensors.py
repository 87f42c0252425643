"""The memory of all tensors that are alive at once, counted on any device as they come and go."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from udeansr.batches.batch import Batch


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of tensors that are made while it is open, until nothing holds them.

    What is counted is what torch's allocator is asked for; not the workspace inside an operation, and not what the
    allocator keeps beyond.

    Attributes:
        live_bytes: of those alive now.
        peak_bytes: the most at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live_bytes = self.peak_bytes = 0
        self._known: set[int] = set()

    def forget_peak(self) -> None:
        """Let the peak begin anew, from what is alive now."""
        self.peak_bytes = self.live_bytes

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute, and count what is new."""
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        if id(storage) not in self._known:
            self._known.add(id(storage))
            self.live_bytes += storage.nbytes()
            self.peak_bytes = max(self.peak_bytes, self.live_bytes)
            weakref.finalize(storage, self._forget, id(storage), storage.nbytes())

    def _forget(self, name: int, count: int) -> None:
        self._known.discard(name)
        self.live_bytes -= count


def peak_of_iterations(begin: Callable[[], Any], batch: Batch, progresses: tuple[float, ...]) -> tuple[Any, int]:
    """The most bytes of tensors alive in iterations of a training: weights, moments, maps, gradients, the batch.

    Args:
        begin: makes the trainer, with its method.
        batch: one of its training; it is copied.
        progresses: parts of the training that are done where it is played.
    Returns: the trainer, and the bytes.
    """
    with LiveTensors() as live:
        trainer = begin()
        own = Batch(**{name: None if slabs is None else slabs.clone() for name, slabs in vars(batch).items()})  # type: ignore[arg-type]
        for iteration, progress in enumerate((*progresses, *progresses)):  # the first time some moments are not there
            if iteration == len(progresses):
                live.forget_peak()
            trainer.method.progress = progress
            trainer.play(own, iteration)
    return trainer, live.peak_bytes
