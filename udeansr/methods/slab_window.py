"""A network of slabs over a whole volume, and the blending of what it gives. Knows methods; knows no file or plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor

from udeansr.errors import UdeansrError
from udeansr.methods.method import Method

Progress = Callable[[int, int], None]
"""Called after each batch with the slabs done and the slabs there are."""

HR_PIXELS_A_BATCH = {"cpu": 2**18, "cuda": 2**21}
"""In-plane HR pixels of all slabs in a batch, by device: it bounds the memory (some 2 kB a pixel) at full speed."""

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def super_resolve_volume(
    method: Method,
    lr: np.ndarray,
    *,
    stride: int = 1,
    device: torch.device | str,
    precision: str,
    progress: Progress | None = None,
) -> np.ndarray:
    """Super-resolve a volume slab by slab, whole slices at once, and average where answers overlap.

    Args:
        method: its networks lie on the device.
        lr: (Z, Y, X) normalised, slab axis first.
        stride: LR slices from one slab to the next, 1 (best) to the method's ``answered_slices`` (fastest).
        device: where to compute.
        precision: "fp32", "bf16" or "fp16" for the networks; the average is in fp32 always.
        progress: told after each batch of slabs.
    Returns: (Z * sz, Y * sy, X * sx) float32, in the unit of ``lr``.
    Raises:
        ValueError: if the stride leaves slices out.
        UdeansrError: if not even one slab fits in the device's memory.
    """
    scale = method.scale
    slab = method.slab_slices or lr.shape[0]
    window = _Window(lr.shape[0], slab, stride if method.slab_slices else slab, method.margin_slices)
    plane = (lr.shape[1] * scale.y, lr.shape[2] * scale.x)
    with _inference(method, torch.device(device), precision):
        return window.walk(method.super_resolve, lr, 1, scale.z, plane, torch.device(device), progress)


def degrade_volume(method: Method, hr: np.ndarray, *, device: torch.device | str, precision: str) -> np.ndarray | None:
    """Degrade an HR volume as the method learned it, slab by slab, averaged where slabs overlap.

    Args:
        method: its networks lie on the device.
        hr: (Z, Y, X) normalised, slab axis first; each side divides by its scale.
        device: where to compute.
        precision: as in :func:`super_resolve_volume`.
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

    slices = hr.shape[0] // scale.z
    window = _Window(slices, method.slab_slices or slices, 1 if method.slab_slices else slices)
    plane = (hr.shape[1] // scale.y, hr.shape[2] // scale.x)
    with _inference(method, torch.device(device), precision):
        return window.walk(degrade, hr, scale.z, 1, plane, torch.device(device), None)


@contextmanager
def _inference(method: Method, device: torch.device, precision: str) -> Iterator[None]:
    """No gradients, no dropout, autocast by the precision."""
    if precision != "fp32" and precision not in _AUTOCAST:
        raise ValueError(f"precision {precision}; expected fp32, bf16 or fp16")
    half = _AUTOCAST.get(precision)
    autocast: AbstractContextManager = torch.autocast(device.type, half) if half else nullcontext()
    training = method.training
    method.eval()
    try:
        with torch.inference_mode(), autocast:
            yield
    finally:
        method.train(training)


class _Window:
    """Slabs that cover ``length`` slices; a slab answers for its slices but for those in its margins."""

    def __init__(self, length: int, slab: int, stride: int, margin: int = 0) -> None:
        if not 1 <= stride <= slab - 2 * margin:
            raise ValueError(
                f"a stride of {stride} with slabs of {slab} slices and margins of {margin}; "
                f"expected 1 to {slab - 2 * margin}"
            )
        self.length, self.slab, self.margin = length, slab, margin
        before = (slab - stride) // 2
        self.starts = list(range(-before, length - before, stride))

    def walk(
        self,
        network: Callable[[Tensor], Tensor],
        volume: np.ndarray,
        thick_in: int,
        thick_out: int,
        plane: tuple[int, int],
        device: torch.device,
        progress: Progress | None,
    ) -> np.ndarray:
        """Gather slabs, run the network, sum and divide; a slice in is ``thick_in`` slices of the volume."""
        slices = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32)).to(device)
        total = torch.zeros((self.length * thick_out, *plane), device=device)
        count = torch.zeros((self.length * thick_out, 1, 1), device=device)
        pixels = max(plane[0] * plane[1], volume.shape[1] * volume.shape[2])
        size = max(1, HR_PIXELS_A_BATCH.get(device.type, HR_PIXELS_A_BATCH["cpu"]) // pixels)
        done = 0
        while done < len(self.starts):
            starts = self.starts[done : done + size]
            try:
                slabs = torch.stack([self._slab(slices, start, thick_in) for start in starts])
                answers = network(slabs.contiguous(memory_format=torch.channels_last)).float()
            except torch.cuda.OutOfMemoryError as error:
                if size == 1:
                    raise UdeansrError(
                        f"{device}: out of memory with slices of {volume.shape[1]} x {volume.shape[2]}; "
                        "end other programs on it, or compute on the processor: --device cpu"
                    ) from error
                size //= 2
                continue
            for start, answer in zip(starts, answers, strict=True):
                low, high = max(start + self.margin, 0), min(start + self.slab - self.margin, self.length)
                total[low * thick_out : high * thick_out] += answer[
                    (low - start) * thick_out : (high - start) * thick_out
                ]
                count[low * thick_out : high * thick_out] += 1
            done += len(starts)
            if progress is not None:
                progress(done, len(self.starts))
        return total.div_(count).cpu().numpy()

    def _slab(self, slices: Tensor, start: int, thick: int) -> Tensor:
        """The slices of one slab; beyond the ends the last slice is replicated."""
        wanted = torch.arange(start * thick, (start + self.slab) * thick, device=slices.device)
        return slices[wanted.clamp(0, len(slices) - 1)]
