"""The sliding window: slabs of a volume through a network, batch after batch, and the mean of its predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from udeansr.device import autocast, half_precision, is_out_of_memory, memory_guard, shapes_that_change
from udeansr.inference.test_time_augmentation import IDENTITY, FlipRotate

Progress = Callable[[int, int], None]
"""Called after each batch with the predictions that slabs gave so far and the predictions there will be."""

Slices = tuple[int, np.ndarray, np.ndarray | None]
"""Number of the first slice, slices (n, Y, X), and the standard deviation of the predictions for each voxel or None."""

HR_PIXELS_A_BATCH = {"cpu": 2**17, "cuda": 2**21}
"""In-plane HR pixels of all slabs in a batch, by device: it bounds the memory (some 2 kB a pixel) at full speed."""


@dataclass
class _Mean:
    """The predictions for one slice so far: their mean, and the sum of the squares of what lies off it.

    Source: Welford, Technometrics 4(3), 1962: nothing is lost in the difference of large sums.
    """

    mean: Tensor
    squares: Tensor | None
    count: int = 1

    def add(self, prediction: Tensor) -> None:
        """One more prediction."""
        self.count += 1
        off = prediction - self.mean
        self.mean += off / self.count
        if self.squares is not None:
            self.squares += off.mul_(prediction - self.mean)

    def finished(self) -> tuple[Tensor, Tensor | None]:
        """Mean and standard deviation."""
        return self.mean, None if self.squares is None else (self.squares / self.count).sqrt()


class _OnTheWay:
    """Slices that a device copies to the host while it, and the host, go on with what comes next."""

    def __init__(self, first: int, means: Sequence[_Mean]) -> None:
        """Begin to copy them, all in one piece.

        Args:
            first: number of the first slice.
            means: of LR slices that are finished, one after the other.
        """
        self._first = first
        finished = [mean.finished() for mean in means]
        stds = [std for _, std in finished if std is not None]
        self._parts = [_begin_copy(torch.cat(slices)) for slices in ([mean for mean, _ in finished], stds) if slices]
        device = means[0].mean.device
        self._copied = torch.cuda.current_stream(device).record_event() if device.type == "cuda" else None

    def arrived(self) -> Slices:
        """Wait until they are there."""
        if self._copied is not None:
            self._copied.synchronize()
        means, *stds = (part.numpy() for part in self._parts)
        return self._first, means, stds[0] if stds else None


def _begin_copy(slices: Tensor) -> Tensor:
    """Slices on the host; on CUDA the copy is only begun."""
    if slices.device.type != "cuda":
        return slices.cpu()
    host = torch.empty(slices.shape, dtype=slices.dtype, pin_memory=True)
    return host.copy_(slices, non_blocking=True)


@dataclass(frozen=True)
class SlidingWindow:
    """Slabs that cover a volume; each gives a prediction for its slices but for those in its margins.

    Attributes:
        length: slices of the volume on the LR grid.
        slab: of these in a slab.
        stride: from one slab to the next.
        pixels: of a slice, on the HR grid.
        device: where to compute.
        precision: "fp32", "bf16" or "fp16" for the network; means are in fp32 always.
        margin: slices at either end of a slab that are context only.
        thick_in, thick_out: slices of what goes in, and of what comes out, for each slice on the LR grid.
    """

    length: int
    slab: int
    stride: int
    pixels: int
    device: torch.device
    precision: str
    margin: int = 0
    thick_in: int = 1
    thick_out: int = 1

    def __post_init__(self) -> None:
        """Refuse what leaves slices out, and what is no precision."""
        if not 1 <= self.stride <= self.slab - 2 * self.margin:
            raise ValueError(
                f"a stride of {self.stride} with slabs of {self.slab} slices and margins of {self.margin}; "
                f"expected 1 to {self.slab - 2 * self.margin}"
            )
        if self.precision != "fp32" and half_precision(self.precision) is None:
            raise ValueError(f"precision {self.precision}; expected fp32, bf16 or fp16")

    def slices(
        self,
        network: Callable[[Tensor], Tensor],
        network_input: np.ndarray,
        transforms: Sequence[FlipRotate] = (IDENTITY,),
        std: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Slices]:
        """Gather slabs, run the network on each transform of them, yield in order the slices that no later slab covers.

        What a batch has finished is given once the next batch is on its way: a device need not wait for its copy.

        Args:
            network: (B, C * slab, Y, X) -> the prediction, float of any precision.
            network_input: (C, slices, Y, X), channels that are gathered side by side.
            transforms: in which each slab is predicted.
            std: whether to give the standard deviation of the predictions.
            progress: called after each batch.
        Yields:
            the slices that a batch has finished, float32.
        Raises:
            UdeansrError: if not even one slab fits in the device's memory.
        """
        volume = torch.from_numpy(np.ascontiguousarray(network_input, dtype=np.float32)).to(self.device)
        before = (self.slab - self.stride) // 2
        all_starts = range(-before, self.length - before, self.stride)
        size = max(1, HR_PIXELS_A_BATCH.get(self.device.type, HR_PIXELS_A_BATCH["cpu"]) // self.pixels)
        waiting: dict[int, _Mean] = {}
        ready: _OnTheWay | None = None
        done = 0
        while done < len(all_starts):
            starts = all_starts[done : done + size]
            for number, transform in enumerate(transforms, start=1):
                with self._computing():
                    slabs = torch.stack([self._slab(volume, start) for start in starts])
                    predictions, size = self._predict(network, slabs, transform)
                    self._accumulate(waiting, starts, predictions, std)
                if progress is not None:
                    progress(done * len(transforms) + number * len(starts), len(all_starts) * len(transforms))
            if ready is not None:
                yield ready.arrived()
            done += len(starts)
            unfinished = all_starts[done] + self.margin if done < len(all_starts) else self.length
            finished = sorted(slice_ for slice_ in waiting if slice_ < unfinished)
            means = [waiting.pop(slice_) for slice_ in finished]
            ready = _OnTheWay(finished[0] * self.thick_out, means) if means else None
        if ready is not None:
            yield ready.arrived()

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """No gradients; autocast by the precision. Not held over a ``yield`` of slices: it would reach the caller."""
        with torch.inference_mode(), autocast(self.device, self.precision), shapes_that_change():
            yield

    def _slab(self, volume: Tensor, start: int) -> Tensor:
        """The slices (C, slices, Y, X) of one slab; beyond the ends the last slice is replicated."""
        wanted = torch.arange(start * self.thick_in, (start + self.slab) * self.thick_in, device=volume.device)
        return volume[:, wanted.clamp(0, volume.shape[1] - 1)]

    def _predict(self, network: Callable[[Tensor], Tensor], slabs: Tensor, transform: FlipRotate) -> tuple[Tensor, int]:
        """The predictions for slabs (B, C, slices, Y, X) in a transform, inverted; and the batch that fitted."""
        load = f"slices of {slabs.shape[-2]} x {slabs.shape[-1]}"
        alone = memory_guard(self.device, load, "compute on the processor: --device cpu")
        try:
            with alone if len(slabs) == 1 else nullcontext():
                channels = transform.apply(slabs).flatten(1, 2).contiguous(memory_format=torch.channels_last)
                return transform.invert(network(channels).float()), len(slabs)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # else with fewer slabs at a time
        half = (len(slabs) + 1) // 2
        (first, fitted), (second, _) = (self._predict(network, part, transform) for part in slabs.split(half))
        return torch.cat([first, second]), fitted

    def _accumulate(self, waiting: dict[int, _Mean], starts: range, predictions: Tensor, std: bool) -> None:
        """Add to each slice what the slabs predict for it."""
        for start, prediction in zip(starts, predictions, strict=True):
            low, high = max(start + self.margin, 0), min(start + self.slab - self.margin, self.length)
            for slice_ in range(low, high):
                part = prediction[(slice_ - start) * self.thick_out : (slice_ - start + 1) * self.thick_out]
                if slice_ in waiting:
                    waiting[slice_].add(part)
                else:
                    waiting[slice_] = _Mean(part, torch.zeros_like(part) if std else None)
