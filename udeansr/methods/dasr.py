"""DASR: degradation learnt first, then super-resolution that trusts what looks like the target.

Source: Wei et al., Unsupervised real-world image super resolution via domain-distance aware training, CVPR 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.losses.adversarial import Form
from udeansr.losses.image import l1, ssim_loss
from udeansr.methods.backbone import degradation_network, shrink_cubically, sr_network
from udeansr.methods.method import Method, frozen, together
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import Fraction, NonNegativeFloat, NonNegativeInt

RECEPTIVE_FIELD = 13
"""Side of what a place of the band discriminator sees, in pixels of a band: three convolutions of 5."""


def haar(slab: Tensor) -> tuple[Tensor, Tensor]:
    """One level of the Haar transform, in plane.

    Args:
        slab: (B, slices, Y, X), Y and X even.
    Returns: the low band (B, slices, Y / 2, X / 2), the mean of each 2 x 2 cell; and the high bands LH, HL and HH,
        orthonormal, (B, 3 * slices, Y / 2, X / 2). Both float32.
    Raises:
        ValueError: if a side is odd.
    """
    if slab.shape[-2] % 2 or slab.shape[-1] % 2:
        raise ValueError(f"a slab of {slab.shape[-2]} x {slab.shape[-1]}; expected even sides")
    image = slab.float()
    upper_left, upper_right = image[..., ::2, ::2], image[..., ::2, 1::2]
    lower_left, lower_right = image[..., 1::2, ::2], image[..., 1::2, 1::2]
    low = (upper_left + upper_right + lower_left + lower_right) / 4
    across = (upper_left - upper_right + lower_left - lower_right) / 2
    down = (upper_left + upper_right - lower_left - lower_right) / 2
    diagonal = (upper_left - upper_right - lower_left + lower_right) / 2
    return low, torch.cat([across, down, diagonal], dim=1)


class BandDiscriminator(nn.Module):
    """Judges the high bands of a slab place by place.

    The source brings bands to 0 to 1 first (x / 2 + 1/2). The half is left out here: the first bias can hold it, and
    with it, at the learning rate of this project, discriminators stay undecided.

    Args:
        slices: of a slab.
        width: channels of the first layer (the source: 64).
    """

    def __init__(self, slices: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3 * slices, width, 5, padding=2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 5, padding=2),
            nn.InstanceNorm2d(2 * width, affine=True),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 4 * width, 5, padding=2),
            nn.InstanceNorm2d(4 * width, affine=True),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(4 * width, 1, 1),
        )

    def forward(self, bands: Tensor) -> Tensor:
        """(B, 3 * slices, Y, X) high bands -> (B, 1, Y, X) logits: above 0 for real."""
        return self.layers(bands * 0.5)


def upsample_scores(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """What a discriminator says of each pixel: the mean over all places that see it.

    Args:
        scores: (B, 1, Y, X) of places, each of which sees ``RECEPTIVE_FIELD`` places around.
        size: (Y, X) of the image that is scored.
    Returns: (B, 1, *size), float32.
    """
    mean = F.avg_pool2d(
        scores.float(), RECEPTIVE_FIELD, stride=1, padding=RECEPTIVE_FIELD // 2, count_include_pad=False
    )
    return F.interpolate(mean, size=size, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class DasrSettings:
    """The hyperparameters of DASR.

    Attributes:
        first_stage: part of the training, 0 to 1, in which the degradation is learnt.
        lambda_adversarial: weight of -log D, in both stages.
        distance_map: whether the domain-distance map weighs the pixels; else all weigh 1.
        alpha: weight of L_SSIM of the super-resolver.
        loss_form: ``paper`` mean (1 - SSIM)^2, ``code`` 1 - SSIM^2.
        anchor: whether networks begin as averaging and interpolation.
        margin_slices: LR slices at either end of a slab that only show what lies beside and are not super-resolved.
    """

    first_stage: Fraction = 0.5
    lambda_adversarial: NonNegativeFloat = 0.005
    distance_map: bool = True
    alpha: NonNegativeFloat = 0.5
    loss_form: Form = "paper"
    anchor: bool = True
    margin_slices: NonNegativeInt = 1

    def without_effect(self) -> dict[str, str]:
        """The names of settings that change nothing, each with the setting that is why."""
        if self.first_stage == 1:
            return dict.fromkeys(("distance_map", "alpha", "loss_form"), "first_stage=1")
        return {"loss_form": "alpha=0"} if self.alpha == 0 else {}


class Dasr(Method):
    """Stage 1: HR -> LR like the target's, scored by high bands. 2: the discriminator's map. 3: SR, weighed by it.

    The second stage takes no iteration: the map is what the discriminator of the first, now fixed, says of an LR. It is
    computed with each batch, so that it is the same after a restart; :meth:`explanations` shows it.
    """

    name = "dasr"
    settings_type = DasrSettings
    players = ("degradation", "lr_discriminator", "super_resolver", "hr_discriminator")
    averaged = ("degradation", "lr_discriminator", "super_resolver")
    learning_rate = 1e-3

    settings: DasrSettings

    def __init__(self, configuration: Configuration, settings: DasrSettings) -> None:
        super().__init__(configuration, settings)
        self.take_margin(settings.margin_slices)
        self.stage_starts = (0.0, settings.first_stage)
        slices, width = configuration.task.slab_slices, configuration.size.discriminator_features
        output_slices = slices - 2 * settings.margin_slices
        self.degradation = degradation_network(configuration, settings.anchor)
        self.lr_discriminator = BandDiscriminator(slices, width)
        self.super_resolver = sr_network(configuration, settings.anchor)
        self.hr_discriminator = BandDiscriminator(output_slices * self.scale.z, width)

    def super_resolve(self, lr: Tensor) -> Tensor:
        """X_t -> SR."""
        return self.super_resolver(lr)

    def degrade(self, hr: Tensor) -> Tensor:
        """Y_s -> X_st."""
        return self.degradation(hr)

    def distance_map(self, lr: Tensor) -> Tensor:
        """How much of each place of an LR looks like the target's, by the discriminator.

        Args:
            lr: (B, slices, Y, X), Y and X even.
        Returns: (B, 1, Y * sy, X * sx), 0 to 1: the mean of the discriminator's scores that a place had a part in.
        """
        size = (lr.shape[2] * self.scale.y, lr.shape[3] * self.scale.x)
        return upsample_scores(torch.sigmoid(self.lr_discriminator(haar(lr)[1]).float()), size)

    def explanations(self, hr: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """HR degraded as learnt, and its domain-distance map."""
        degraded = self.degrade(hr)
        shown = self.distance_map(degraded).expand(-1, hr.shape[1], -1, -1)  # one map holds for all slices of a slab
        return {"degraded": degraded, "domain-distance map": shown}

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """The stage that the training is in."""
        if self.stage == 0:
            yield from self._learn_degradation(batch)
        else:
            yield from self._learn_super_resolution(batch)

    def _learn_degradation(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Low band of clean LR, high bands like the target's."""
        x_st = self.degradation(batch.hr)
        low, high = haar(x_st)
        clean_low, _ = haar(shrink_cubically(batch.hr, self.scale))
        with frozen(self.lr_discriminator):
            adversarial = self.settings.lambda_adversarial * _real(self.lr_discriminator(high))
            yield "degradation", {"low": l1(low, clean_low), "adversarial": adversarial}
        yield "lr_discriminator", {"loss": _discriminator_loss(self.lr_discriminator, haar(batch.lr)[1], high.detach())}

    def _learn_super_resolution(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Pairs (X_st, Y_s), weighed by the map; SR of real LR with high bands like real HR's."""
        with torch.no_grad():
            x_st = self.degradation(batch.hr)
            weight = self.distance_map(x_st) if self.settings.distance_map else torch.ones((), device=x_st.device)
        real, (made, sr) = (
            self.crop_margin(batch.hr),
            map(self.crop_margin, together(self.super_resolver, x_st, batch.lr)),
        )
        sr_high = haar(sr)[1]
        with frozen(self.hr_discriminator):
            yield (
                "super_resolver",
                {
                    "l1": (weight * (made.float() - real).abs()).mean(),
                    "ssim": self.settings.alpha * ssim_loss(made, real, self.settings.loss_form),
                    "low": l1(haar(made)[0], haar(real)[0]),
                    "adversarial": self.settings.lambda_adversarial * _real(self.hr_discriminator(sr_high)),
                },
            )
        yield "hr_discriminator", {"loss": _discriminator_loss(self.hr_discriminator, haar(real)[1], sr_high.detach())}


def _real(logits: Tensor) -> Tensor:
    """-log D, the mean over places."""
    return F.softplus(-logits.float()).mean()


def _discriminator_loss(discriminator: nn.Module, real: Tensor, made: Tensor) -> Tensor:
    """Binary cross-entropy of a discriminator, real = 1 and made = 0, halved."""
    of_real, of_made = together(discriminator, real, made)
    return (_real(of_real) + _real(-of_made)) / 2
