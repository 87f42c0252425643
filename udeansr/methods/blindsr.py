"""Blind-SR: real LR is made clean by a cycle, then super-resolved.

Rebuilt from a short description of the method: the authors' own settings are not public where this was written.
Source: Zhou et al., IEEE Journal of Biomedical and Health Informatics, 2023; the cycle: Zhu et al., ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.losses.adversarial import Form, discriminator_loss, generator_loss
from udeansr.losses.image import l1, reconstruction_losses
from udeansr.methods.backbone import lr_discriminator, lr_translator, shrink_cubically, sr_network
from udeansr.methods.method import Method, frozen, together
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import Fraction, NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True)
class BlindSrSettings:
    """The hyperparameters of Blind-SR.

    Attributes:
        first_stage: part of the training, 0 to 1, in which the translators learn; in the rest the super-resolver does.
            With 0 there are no translators: real LR is super-resolved as it is.
        lambda_cycle: weight of L_1 between LR and itself, translated there and back.
        lambda_identity: weight of L_1 between LR and itself, translated to its own kind.
        shrink: how clean LR is made of source HR: ``cubic`` without alias, or ``nearest``, each so manieth voxel.
        alpha: weight of L_SSIM in the second stage.
        loss_form: ``paper`` mean (1 - SSIM)^2, ``code`` 1 - SSIM^2.
        anchor: whether networks begin as identity and interpolation.
        margin_slices: LR slices at either end of a slab that only show what lies beside and are not super-resolved.
    """

    first_stage: Fraction = 0.5
    lambda_cycle: NonNegativeFloat = 10.0
    lambda_identity: NonNegativeFloat = 5.0
    shrink: Literal["cubic", "nearest"] = "cubic"
    alpha: NonNegativeFloat = 0.5
    loss_form: Form = "paper"
    anchor: bool = True
    margin_slices: NonNegativeInt = 1

    def without_effect(self) -> dict[str, str]:
        """The names of settings that change nothing, each with the setting that is why."""
        if self.first_stage == 0:
            return dict.fromkeys(("lambda_cycle", "lambda_identity"), "first_stage=0")
        if self.first_stage == 1:
            return dict.fromkeys(("alpha", "loss_form"), "first_stage=1")
        return {"loss_form": "alpha=0"} if self.alpha == 0 else {}


class BlindSr(Method):
    """First the translators: target LR <-> clean LR. Then the super-resolver, on clean LR of source HR alone."""

    name = "blindsr"
    settings_type = BlindSrSettings
    players = ("translators", "discriminators", "super_resolver")
    averaged = ("translators", "super_resolver")
    learning_rate = 1e-3

    settings: BlindSrSettings

    def __init__(self, configuration: Configuration, settings: BlindSrSettings) -> None:
        super().__init__(configuration, settings)
        self.take_margin(settings.margin_slices)
        self.super_resolver = sr_network(configuration, settings.anchor)
        self.translators, self.discriminators = nn.ModuleDict(), nn.ModuleDict()
        if settings.first_stage == 0:
            self.players = ("super_resolver",)
            return
        self.stage_starts = (0.0, settings.first_stage)
        for way in ("to_clean", "to_target"):
            self.translators[way] = lr_translator(configuration, settings.anchor)
        for side in ("clean", "target"):
            self.discriminators[side] = lr_discriminator(configuration)

    def super_resolve(self, lr: Tensor) -> Tensor:
        """X_t -> clean LR -> SR."""
        return self.super_resolver(self._translated("to_clean", lr))

    def degrade(self, hr: Tensor) -> Tensor:
        """Y_s -> clean LR -> LR as the target's scanner gives it."""
        return self._translated("to_target", self._clean(hr))

    def explanations(self, hr: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """Real LR made clean, and clean LR made like real LR."""
        return {"cleaned": self._translated("to_clean", lr), "degraded": self.degrade(hr)}

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """The stage that the training is in."""
        clean = self._clean(batch.hr)
        if self.stage < len(self.stage_starts) - 1:
            yield from self._translate(batch.lr, clean)
            return
        made, real = self.crop_margin(self.super_resolver(clean)), self.crop_margin(batch.hr)
        yield "super_resolver", reconstruction_losses(made, real, self.settings.alpha, self.settings.loss_form)

    def _translate(self, x: Tensor, y: Tensor) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """CycleGAN between target LR ``x`` and clean LR ``y``."""
        weight, discriminators = self.settings, self.discriminators
        to_clean, to_target = self.translators["to_clean"], self.translators["to_target"]
        (y_made, y_same), (x_made, x_same) = together(to_clean, x, y), together(to_target, y, x)
        with frozen(discriminators):
            yield (
                "translators",
                {
                    "adversarial_clean": generator_loss(discriminators["clean"](y_made), "code"),
                    "adversarial_target": generator_loss(discriminators["target"](x_made), "code"),
                    "cycle": weight.lambda_cycle * (l1(to_target(y_made), x) + l1(to_clean(x_made), y)),
                    "identity": weight.lambda_identity * (l1(y_same, y) + l1(x_same, x)),
                },
            )
        y_made, x_made = y_made.detach(), x_made.detach()
        yield (
            "discriminators",
            {
                "clean": discriminator_loss(*together(discriminators["clean"], y, y_made)),
                "target": discriminator_loss(*together(discriminators["target"], x, x_made)),
            },
        )

    def _translated(self, way: str, lr: Tensor) -> Tensor:
        """LR of the other kind; as it is where there are no translators."""
        return self.translators[way](lr) if way in self.translators else lr

    def _clean(self, hr: Tensor) -> Tensor:
        """Clean LR of source HR."""
        if self.settings.shrink == "cubic":
            return shrink_cubically(hr, self.scale)
        sides = tuple(side // factor for side, factor in zip(hr.shape[1:], self.scale.zyx, strict=True))
        return F.interpolate(hr.float()[:, None], size=sides, mode="nearest-exact")[:, 0]
