"""PseudoSR: real LR is made clean by a translator that is taught by super-resolution too.

Source: Maeda, Unpaired image super-resolution using pseudo-supervision, CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.losses.adversarial import Form, discriminator_loss, generator_loss
from udeansr.losses.image import l1, reconstruction_losses
from udeansr.methods.backbone import hr_discriminator, lr_discriminator, lr_translator, shrink_cubically, sr_network
from udeansr.methods.method import Method, frozen, together
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True)
class PseudoSrSettings:
    """The hyperparameters of PseudoSR.

    Attributes:
        lambda_sr: weight of what the discriminator of SR says, for the translators.
        lambda_cycle: weight of L_1 between clean LR and itself, made like the target's and clean again.
        lambda_identity: weight of L_1 between clean LR and itself, made clean.
        lambda_geometry: weight of L_1 between cleaned LR and the mean of what is cleaned mirrored and turned.
        alpha: weight of L_SSIM for the super-resolver.
        loss_form: ``paper`` mean (1 - SSIM)^2, ``code`` 1 - SSIM^2.
        anchor: whether networks begin as identity and interpolation.
        margin_slices: LR slices at either end of a slab that only show what lies beside and are not super-resolved.
    """

    lambda_sr: NonNegativeFloat = 0.1
    lambda_cycle: NonNegativeFloat = 1.0
    lambda_identity: NonNegativeFloat = 2.0
    lambda_geometry: NonNegativeFloat = 1.0
    alpha: NonNegativeFloat = 0.5
    loss_form: Form = "paper"
    anchor: bool = True
    margin_slices: NonNegativeInt = 1

    def without_effect(self) -> dict[str, str]:
        """The names of settings that change nothing, each with the setting that is why."""
        return {"loss_form": "alpha=0"} if self.alpha == 0 else {}


class PseudoSr(Method):
    """Target LR ``x`` -> clean LR -> SR; pairs for the super-resolver are (clean LR there and back, source HR).

    Clean LR ``y`` is source HR, shrunk cubically.
    """

    name = "pseudosr"
    settings_type = PseudoSrSettings
    players = ("translators", "super_resolver", "discriminators")
    averaged = ("translators", "super_resolver")
    learning_rate = 1e-3

    settings: PseudoSrSettings

    def __init__(self, configuration: Configuration, settings: PseudoSrSettings) -> None:
        super().__init__(configuration, settings)
        self.take_margin(settings.margin_slices)
        output_slices = configuration.task.slab_slices - 2 * settings.margin_slices
        self.super_resolver = sr_network(configuration, settings.anchor)
        self.translators = nn.ModuleDict(
            {way: lr_translator(configuration, settings.anchor) for way in ("to_clean", "to_target")}
        )
        self.discriminators = nn.ModuleDict(
            {
                "clean": lr_discriminator(configuration),
                "target": lr_discriminator(configuration),
                "sr": hr_discriminator(configuration, output_slices * self.scale.z),
            }
        )

    def super_resolve(self, lr: Tensor) -> Tensor:
        """X_t -> clean LR -> SR."""
        return self.super_resolver(self.translators["to_clean"](lr))

    def degrade(self, hr: Tensor) -> Tensor:
        """Y_s -> clean LR -> LR as the target's scanner gives it."""
        return self.translators["to_target"](shrink_cubically(hr, self.scale))

    def explanations(self, hr: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """Real LR made clean, and clean LR made like real LR."""
        return {"cleaned": self.translators["to_clean"](lr), "degraded": self.degrade(hr)}

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Translators, discriminators fixed; then the super-resolver on what they made; then the discriminators."""
        weight, discriminators = self.settings, self.discriminators
        to_clean, to_target = self.translators["to_clean"], self.translators["to_target"]
        x, y = batch.lr, shrink_cubically(batch.hr, self.scale)
        x_made, (y_made, y_same) = to_target(y), together(to_clean, x, y)
        y_again = to_clean(x_made)
        with frozen(discriminators, self.super_resolver):
            yield (
                "translators",
                {
                    "adversarial_target": generator_loss(discriminators["target"](x_made), "code"),
                    "adversarial_clean": generator_loss(discriminators["clean"](y_made), "code"),
                    "adversarial_sr": weight.lambda_sr
                    * generator_loss(discriminators["sr"](self._cropped_sr(y_again)), "code"),
                    "cycle": weight.lambda_cycle * l1(y_again, y),
                    "identity": weight.lambda_identity * l1(y_same, y),
                    "geometry": weight.lambda_geometry * l1(y_made, self._ensemble(x)),
                },
            )

        x_made, y_made, y_again = x_made.detach(), y_made.detach(), y_again.detach()
        made, real = self._cropped_sr(y_again), self.crop_margin(batch.hr)
        yield "super_resolver", reconstruction_losses(made, real, weight.alpha, weight.loss_form)

        with torch.no_grad():
            sr_of_target = self._cropped_sr(y_made)
        yield (
            "discriminators",
            {
                "target": discriminator_loss(*together(discriminators["target"], x, x_made)),
                "clean": discriminator_loss(*together(discriminators["clean"], y, y_made)),
                "sr": discriminator_loss(*together(discriminators["sr"], sr_of_target, made.detach())),
            },
        )

    def _cropped_sr(self, clean: Tensor) -> Tensor:
        """The slices of SR that are used."""
        return self.crop_margin(self.super_resolver(clean))

    @torch.no_grad()
    def _ensemble(self, x: Tensor) -> Tensor:
        """The mean of LR made clean in all mirrored and, where slices may be turned, turned positions, turned back.

        It is a target: no gradient passes, which costs a third of what it would.
        """
        quarters = range(2) if self.configuration.task.rotate90 else range(1)
        ways = [(mirrored, quarter) for mirrored in ((), (2,), (3,), (2, 3)) for quarter in quarters]
        moved = [torch.rot90(torch.flip(x, mirrored), quarter, (2, 3)) for mirrored, quarter in ways]
        cleaned = together(self.translators["to_clean"], *moved)
        back = zip(ways, cleaned, strict=True)
        returned = [torch.flip(torch.rot90(y, -quarter, (2, 3)), mirrored) for (mirrored, quarter), y in back]
        return torch.stack(returned).float().mean(0)
