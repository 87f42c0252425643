"""Self: super-resolution of thick slices, learnt from the thick scan's own planes.

Within its slices a scan is as sharp as one wants its slice axis to be. Degraded along an in-plane axis as its slices
are along theirs, its own planes teach a network what to do along the slice axis. No other scan is needed, of no
contrast. :mod:`udeansr.prediction.self_training` does the training, since it is prediction that has the scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from udeansr.batches.batch import Batch
from udeansr.methods.method import Method
from udeansr.networks.residual_network import ResidualNetwork
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import NonNegativeInt, PositiveFloat, PositiveInt

PIXELS_AT_ONCE = 2**17
"""LR pixels of the planes that go through the network together: some 200 MB at 32 features and a factor of 7."""


ITERATIONS = {True: 300, False: 3000}
LEARNING_RATE = {True: 1e-3, False: 3e-3}
"""By whether it begins with a bundled model."""


@dataclass(frozen=True)
class SelfSettings:
    """The hyperparameters of self.

    Attributes:
        iterations: of the training on the scans of one protocol; None: :data:`ITERATIONS`. 0 leaves what it begins
            with.
        pretrained: begin with the bundled model of thick slices, where there is one of this width and depth; else, or
            without, with cubic interpolation.
        features, blocks: width and depth of the network.
        batch_size: planes in a batch.
        patch_rows, patch_columns: of a patch, LR pixels; the rows are those that become finer.
        thickness: full width at half maximum of the slice profile over the distance of slices, where neither DICOM nor
            a BIDS sidecar says the slice thickness: 1 is no gap.
    """

    iterations: NonNegativeInt | None = None
    pretrained: bool = True
    features: PositiveInt = 32
    blocks: PositiveInt = 8
    batch_size: PositiveInt = 8
    patch_rows: PositiveInt = 24
    patch_columns: PositiveInt = 32
    thickness: PositiveFloat = 1.0

    def without_effect(self) -> dict[str, str]:
        """The names of settings that change nothing, each with the setting that is why."""
        if self.iterations == 0:
            return dict.fromkeys(("batch_size", "patch_rows", "patch_columns"), "iterations=0")
        return {}


class SelfSupervised(Method):
    """One 2-D network over the planes (Z, Y) and (Z, X), whose answers are averaged.

    Source: SMORE (Zhao et al., IEEE TMI 40(3), 2021); ECLARE (Remedios et al., 2025).
    """

    name = "self"
    settings_type = SelfSettings
    players = ("network",)
    averaged = ("network",)
    learning_rate = LEARNING_RATE[False]
    ema_decay = 0.99
    needs_cohort = False

    settings: SelfSettings

    def __init__(self, configuration: Configuration, settings: SelfSettings) -> None:
        super().__init__(configuration, settings)
        if (self.scale.y, self.scale.x) != (1, 1):
            raise ValueError(f"self makes slices finer; expected x1x1x2 and the like, not {self.scale}")
        self.slab_slices = None
        self.network = ResidualNetwork((1, self.scale.z, 1), settings.features, settings.blocks)

    @property
    def slice_thickness(self) -> float:
        """As it was learned for."""
        return self.settings.thickness

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Restore planes from what they are when degraded along their rows."""
        yield "network", {"l1": F.l1_loss(self.network(batch.lr), batch.hr)}

    def super_resolve(self, lr: Tensor) -> Tensor:
        """(B, Z, Y, X) -> (B, Z * sz, Y, X): the mean over planes of both orientations."""
        return (self._by_planes(lr) + self._by_planes(lr.mT).mT) / 2

    def _by_planes(self, volumes: Tensor) -> Tensor:
        """(B, Z, Y, X) -> (B, Z * sz, Y, X) by the planes (Z, X) alone."""
        planes = volumes.transpose(1, 2).flatten(0, 1)[:, None]  # (B * Y, 1, Z, X)
        count = max(1, PIXELS_AT_ONCE // (planes.shape[-2] * planes.shape[-1]))
        chunks = (chunk.contiguous(memory_format=torch.channels_last) for chunk in planes.split(count))
        made = torch.cat([self.network(chunk)[:, 0] for chunk in chunks])
        return made.unflatten(0, (volumes.shape[0], volumes.shape[2])).transpose(1, 2)
