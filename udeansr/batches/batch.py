"""A batch: slabs of both cohorts. Knows tensors; knows no file."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Slabs of other people: nothing in ``hr`` belongs to anything in ``lr``.

    Attributes:
        hr: Y_s, source HR slabs, (B, slices * sz, Y * sy, X * sx), float32, normalised.
        lr: X_t, target LR slabs, (B, slices, Y, X), float32, normalised.
    """

    hr: Tensor
    lr: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device, channels last; the copy overlaps with computing where memory is pinned."""
        move = {"device": device, "memory_format": torch.channels_last, "non_blocking": True}
        return Batch(hr=self.hr.to(**move), lr=self.lr.to(**move))
