"""A batch: slabs of source HR and of target LR, what methods learn from in one iteration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Slabs of both cohorts, drawn apart: nothing in ``hr`` belongs to anything in ``lr``.

    Attributes:
        hr: Y_s, source HR slabs, (B, slices * sz, Y * sy, X * sx), float32, normalised.
        lr: X_t, target LR slabs, (B, slices, Y, X), float32, normalised.
        degraded: the LR that belongs to ``hr``, (B, slices, Y, X): made of it by the configuration's degradation, noise
            included, or real where pairs of equal name are trained on; with domain randomization (B, 2 * slices, Y, X),
            deconvolved and as it is; None for methods that do not ask for it.
    """

    hr: Tensor
    lr: Tensor
    degraded: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device, channels last; the copy overlaps with computing where memory is pinned."""

        def moved(slabs: Tensor) -> Tensor:
            return slabs.to(device=device, memory_format=torch.channels_last, non_blocking=True)

        degraded = None if self.degraded is None else moved(self.degraded)
        return Batch(moved(self.hr), moved(self.lr), degraded)

    def pin_memory(self) -> Batch:
        """The same batch where a CUDA device copies from without waiting."""
        degraded = None if self.degraded is None else self.degraded.pin_memory()
        return Batch(self.hr.pin_memory(), self.lr.pin_memory(), degraded)
