"""ZSSR: super-resolution learnt on the one LR volume itself.

The LR, degraded once more, is the input and the LR itself the answer; what was learnt there is then applied to the LR.
No other volume is needed, and nothing is kept from one to the next. :mod:`udeansr.prediction.zero_shot` does the
training, since it is prediction that has the volume.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from udeansr.batches.batch import Batch
from udeansr.losses.adversarial import Form
from udeansr.losses.image import reconstruction_losses
from udeansr.methods.backbone import sr_network
from udeansr.methods.method import Method
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True)
class ZssrSettings:
    """The hyperparameters of ZSSR.

    Attributes:
        alpha: weight of L_SSIM beside L_1.
        loss_form: of L_SSIM: ``paper`` (1 - SSIM)^2, ``code`` 1 - SSIM^2.
        anchor: whether features carry a plain copy of the image and the decoder adds to its interpolation.
        margin_slices: LR slices at either end of a slab that only show what lies beside and are not super-resolved.
        iterations: of the training on each volume; 0 leaves the network as it begins.
        median: whether SR is the median over the in-plane flips and turns of the LR: eight, or the four flips where the
            configuration has no turns.
        back_projections: how often SR is corrected by what its LR misses of the LR; the original takes 10.
    """

    alpha: NonNegativeFloat = 0.5
    loss_form: Form = "paper"
    anchor: bool = True
    margin_slices: NonNegativeInt = 1
    iterations: NonNegativeInt = 3000
    median: bool = False
    back_projections: NonNegativeInt = 0

    def without_effect(self) -> dict[str, str]:
        """The names of settings that change nothing, each with the setting that is why."""
        if self.iterations == 0:
            return dict.fromkeys(("alpha", "loss_form"), "iterations=0")
        return {"loss_form": "alpha=0"} if self.alpha == 0 else {}


class Zssr(Method):
    """TS-RCAN on (LR degraded once more, LR) of one volume; batches hold these as ``degraded`` and ``hr``.

    Source: Shocher, Cohen and Irani, CVPR 2018.
    """

    name = "zssr"
    settings_type = ZssrSettings
    players = ("generators",)
    averaged = ("generators",)
    learning_rate = 1e-3
    is_zero_shot = True

    settings: ZssrSettings

    def __init__(self, configuration: Configuration, settings: ZssrSettings) -> None:
        super().__init__(configuration, settings)
        self.uses_degraded = True
        self.take_margin(settings.margin_slices)
        self.generators = sr_network(configuration, settings.anchor)

    def super_resolve(self, lr: Tensor) -> Tensor:
        """X -> Y."""
        return self.generators(lr)

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Restore the LR from what it becomes when degraded once more."""
        assert batch.degraded is not None, "zero-shot batches hold the LR and the LR degraded once more"
        made, real = self.crop_margin(self.super_resolve(batch.degraded)), self.crop_margin(batch.hr)
        yield "generators", reconstruction_losses(made, real, self.settings.alpha, self.settings.loss_form)
