"""Supervised super-resolution on pairs of LR and HR.

The LR is made of source HR as the configuration's ``source_degradation`` says: plain truncation is the routine of most
earlier work, the measured degradation what this project adds, the target's true one the bound of both. Or it is the
target LR of equal name, of subjects who were scanned by both scanners.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from udeansr.batches.batch import Batch
from udeansr.losses.adversarial import Form
from udeansr.losses.image import reconstruction_losses
from udeansr.methods.backbone import residual_network, sr_network
from udeansr.methods.method import Method
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True)
class SupervisedSettings:
    """The hyperparameters of supervised training.

    Attributes:
        alpha: weight of L_SSIM beside L_1.
        loss_form: of L_SSIM: ``paper`` (1 - SSIM)^2, ``code`` 1 - SSIM^2.
        network: ``residual``, plain residual blocks; ``rcan``, the paper's encoder and TS-RCAN.
        anchor: of ``rcan``: whether features carry a plain copy of the image and the decoder adds to its interpolation.
        margin_slices: LR slices at either end of a slab that only show what lies beside and are not super-resolved.
        pairs: ``synthetic``: source HR and LR made of it; ``real``: source HR and target LR of equal name, which
            show one subject at one place in the world.
        register: whether HR is moved rigidly onto its LR first; pairs are then those of equal name.
    """

    alpha: NonNegativeFloat = 0.5
    loss_form: Form = "paper"
    network: Literal["residual", "rcan"] = "residual"
    anchor: bool = True
    margin_slices: NonNegativeInt = 1
    pairs: Literal["synthetic", "real"] = "synthetic"
    register: bool = False

    def without_effect(self) -> dict[str, str]:
        """The names of settings that change nothing, each with the setting that is why."""
        idle = {"anchor": "network=residual"} if self.network == "residual" else {}
        if self.alpha == 0:
            idle["loss_form"] = "alpha=0"
        return {**idle, "pairs": "register=true"} if self.register else idle


class Supervised(Method):
    """A network on pairs (LR, HR): the deployed half of UDEAN, alone."""

    name = "supervised"
    settings_type = SupervisedSettings
    players = ("generators",)
    averaged = ("generators",)
    learning_rate = 3e-3
    supports_domain_randomization = True

    settings: SupervisedSettings

    def __init__(self, configuration: Configuration, settings: SupervisedSettings) -> None:
        super().__init__(configuration, settings)
        self.uses_degraded = True
        self.pairs = "registered" if settings.register else settings.pairs
        self.take_margin(settings.margin_slices)
        rcan = settings.network == "rcan"
        self.generators = sr_network(configuration, settings.anchor) if rcan else residual_network(configuration)

    def super_resolve(self, lr: Tensor) -> Tensor:
        """X -> Y; X beside X restored, where the configuration restores."""
        return self.generators(lr)

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Restore the HR of a pair from its LR."""
        assert batch.degraded is not None, "the loader was not asked for the degraded slabs"
        made, real = self.crop_margin(self.super_resolve(batch.degraded)), self.crop_margin(batch.hr)
        yield "generators", reconstruction_losses(made, real, self.settings.alpha, self.settings.loss_form)
