"""Tricubic and sinc interpolation as methods that learn nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from udeansr.batches.batch import Batch
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc, tricubic
from udeansr.methods.method import Method
from udeansr.methods.settings import NoSettings
from udeansr.planning.configuration import Configuration


class Interpolation(Method):
    """The floor every method has to beat: a whole volume in, its HR grid out, nothing learned."""

    settings_type = NoSettings
    interpolate: ClassVar[Callable[[np.ndarray, Scale], np.ndarray]]

    def __init__(self, configuration: Configuration, settings: Any) -> None:
        super().__init__(configuration, settings)
        self.slab_slices = None

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """No player, no turn."""
        return iter(())

    def super_resolve(self, lr: Tensor) -> Tensor:
        """(B, Z, Y, X) -> (B, Z * sz, Y * sy, X * sx), computed in float32 on the CPU, given back as it came."""
        volumes = [type(self).interpolate(volume, self.scale) for volume in lr.detach().cpu().float().numpy()]
        return torch.from_numpy(np.stack(volumes)).to(lr.device, lr.dtype)


class Tricubic(Interpolation):
    """Keys' cubic along each axis; the field of view is kept."""

    name = "tricubic"
    interpolate = staticmethod(tricubic)


class Sinc(Interpolation):
    """Zero filling of k-space; the field of view is kept."""

    name = "sinc"
    interpolate = staticmethod(sinc)
