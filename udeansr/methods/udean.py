"""UDEAN: super-resolution without pairs by degradation adaptation.

Source: the paper, sections II.B and II.C; equation numbers below are the paper's. Names: ``s`` source, ``t`` target,
Y on the HR grid, X on the LR grid, f features on the LR grid; ``y_sts`` is Y_s~t~s, ``y_hat_s`` is Y_s with a hat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.losses.adversarial import Form, confusion_loss, discriminator_loss, generator_loss
from udeansr.losses.image import l1, ssim_loss
from udeansr.methods.method import Method, frozen, together
from udeansr.networks.anchor import AnchoredDecoder, AnchoredEncoder
from udeansr.networks.bounded_degradation import BoundedDegradation
from udeansr.networks.decoder import Decoder
from udeansr.networks.discriminator import Discriminator, Normalization
from udeansr.networks.encoder import Encoder
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import Fraction, NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True)
class UdeanSettings:
    """The hyperparameters of UDEAN; all from ``discriminator_normalization`` on is not the paper's.

    Attributes:
        lambda_image_cycle: lambda_1, weight of L_i_cyc (equation 4).
        lambda_feature_cycle: lambda_2, weight of L_f_cyc (5).
        lambda_hr_consistency: lambda_3, weight of L_hr_con (6).
        lambda_lr_consistency: lambda_4, weight of L_lr_con (7).
        lambda_da: lambda_5, weight of L_da (8).
        lambda_fa: lambda_6, weight of L_fa (9).
        alpha: weight of L_SSIM in 4, 6 and 7.
        beta: weight of L_adv in 4, 6 and 7.
        loss_form: ``paper`` as printed, ``code`` as the authors' code family runs it: squares in 3, 8 and 9,
            1 - SSIM^2 in 2.
        image_adaptation: whether the LR discriminator exists; without it L_da and the L_adv of 7 are gone.
        feature_adaptation: whether the feature discriminator exists; without it L_fa is gone.
        discriminator_normalization: of the discriminators: ``batch``, the layout's, ``instance``, ``spectral`` or
            ``none``. With the first two they see neither gain nor offset.
        anchor: whether features carry a plain copy of the image and decoders add to its interpolation. Without it
            nothing but chance tells LR from its photographic negative, or where it lies.
        warm_start: the first part of the training, 0 to below 1, in which only the measured degradation teaches.
        lambda_measured: weight of the same lesson afterwards, beside equation 10.
        bounded: whether the degradation that the adversaries shape is the measured one times a learned transfer
            function, plus noise, instead of a network: nothing else than X_st against X_t then moves it.
        margin_slices: LR slices at either end of a slab that only show what lies beside and are not super-resolved; 0,
            the paper's, super-resolves whole slabs.
    """

    lambda_image_cycle: NonNegativeFloat = 1.0
    lambda_feature_cycle: NonNegativeFloat = 0.1
    lambda_hr_consistency: NonNegativeFloat = 1.0
    lambda_lr_consistency: NonNegativeFloat = 1.0
    lambda_da: NonNegativeFloat = 0.1
    lambda_fa: NonNegativeFloat = 0.1
    alpha: NonNegativeFloat = 0.5
    beta: NonNegativeFloat = 0.01
    loss_form: Form = "paper"
    image_adaptation: bool = True
    feature_adaptation: bool = True
    discriminator_normalization: Normalization = "batch"
    anchor: bool = True
    warm_start: Fraction = 0.5
    lambda_measured: NonNegativeFloat = 1.0
    bounded: bool = False
    margin_slices: NonNegativeInt = 1

    def __post_init__(self) -> None:
        """Refuse adversaries that never play."""
        if self.warm_start >= 1:
            raise ValueError("warm_start=1 leaves the adversaries no turn; expected less, or the method supervised")

    def without_effect(self) -> dict[str, str]:
        """The names of settings that change nothing, each with the setting that is why."""
        idle = {} if self.image_adaptation else {"lambda_da": "image_adaptation=false"}
        return idle if self.feature_adaptation else {**idle, "lambda_fa": "feature_adaptation=false"}


@dataclass(frozen=True)
class PaperSettings(UdeanSettings):
    """The paper's form but for the anchor: no measured degradation; the adversaries play from the first step."""

    warm_start: Fraction = 0.0
    lambda_measured: NonNegativeFloat = 0.0
    margin_slices: NonNegativeInt = 0


class Generators(nn.Module):
    """The four networks of figure 2, named from what they take to what they give."""

    def __init__(self, configuration: Configuration, anchor: bool, bounded: bool) -> None:
        super().__init__()
        if bounded:
            self.degradation = BoundedDegradation()
        scale, features = configuration.task.slab_factors, configuration.size.features
        lr_slices = configuration.task.slab_slices
        hr_slices = lr_slices * scale.z
        in_plane = (scale.y, scale.x)
        depth = (configuration.size.groups, configuration.size.blocks, configuration.size.patch_size)
        if anchor:
            self.hr_encoder = AnchoredEncoder(hr_slices, lr_slices, features, downscale=in_plane)
            self.lr_encoder = AnchoredEncoder(lr_slices, lr_slices, features)
            self.lr_decoder = AnchoredDecoder(lr_slices, lr_slices, features, *depth)
            self.sr_decoder = AnchoredDecoder(lr_slices, hr_slices, features, *depth, upscale=in_plane)
            return
        self.hr_encoder = Encoder(hr_slices, features, downscale=in_plane)
        self.lr_encoder = Encoder(lr_slices, features)
        self.lr_decoder = Decoder(lr_slices, features, *depth)
        self.sr_decoder = Decoder(hr_slices, features, *depth, upscale=in_plane)


class Udean(Method):
    """Unsupervised degradation adaptation network.

    HR -> features -> LR as the target's scanner gives it -> features -> HR; real LR -> features -> SR. Discriminators
    make degraded HR look like real LR (image space) and make the features of both cohorts alike (feature space).
    """

    name = "udean"
    settings_type = UdeanSettings
    players = ("generators", "discriminators")
    averaged = ("generators",)
    learning_rate = 1e-3

    settings: UdeanSettings

    def __init__(self, configuration: Configuration, settings: UdeanSettings) -> None:
        super().__init__(configuration, settings)
        scale, patch = self.scale, configuration.size.patch_size
        slices, width = configuration.task.slab_slices, configuration.size.discriminator_features
        self.take_margin(settings.margin_slices)
        self.copied = slices if settings.anchor else 0
        self.uses_degraded = settings.warm_start > 0 or settings.lambda_measured > 0 or settings.bounded
        self.generators = Generators(configuration, settings.anchor, settings.bounded)
        self.discriminators = nn.ModuleDict()
        hr_patch = (patch[0] * scale.y, patch[1] * scale.x)
        output_slices = slices - 2 * settings.margin_slices
        normalization = settings.discriminator_normalization
        self.discriminators["hr"] = Discriminator(output_slices * scale.z, hr_patch, width, normalization)
        if settings.image_adaptation:
            self.discriminators["lr"] = Discriminator(slices, patch, width, normalization)
        if settings.feature_adaptation:
            learned = configuration.size.features - self.copied
            self.discriminators["feature"] = Discriminator(learned, patch, width, normalization)

    def super_resolve(self, lr: Tensor) -> Tensor:
        """X_t -> Y_t: the blue dotted line of figure 2."""
        return self.generators.sr_decoder(self.generators.lr_encoder(lr))

    def degrade(self, hr: Tensor) -> Tensor:
        """Y_s -> X_s~t: the first half of the black solid line."""
        return self.generators.lr_decoder(self.generators.hr_encoder(hr))

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """The discriminators play, then the generators play equations 4 to 10 against them.

        Before that, during the warm start, the generators learn from the measured degradation alone.
        """
        generators, weight = self.generators, self.settings
        if self.progress < weight.warm_start:
            yield "generators", self._measured(batch)
            return
        y_s, x_t = batch.hr, batch.lr
        taught = (_degraded(batch),) if weight.lambda_measured > 0 else ()
        f_s = generators.hr_encoder(y_s)
        f_t, *f_x = together(generators.lr_encoder, x_t, *taught)
        followed, x_hat_t = together(generators.lr_decoder, f_s, f_t)
        x_st = generators.degradation(_degraded(batch)) if weight.bounded else followed
        f_sts = generators.lr_encoder(x_st.detach() if weight.bounded else x_st)
        made_hr = (self.crop_margin(hr) for hr in together(generators.sr_decoder, f_s, f_sts, *f_x))
        y_hat_s, y_sts, *y_x = made_hr
        y_s = self.crop_margin(y_s)

        made = {"hr": (y_hat_s, y_sts), "lr": (x_st,), "feature": (f_t,)}
        real = {"hr": y_s, "lr": x_t, "feature": f_s}
        yield (
            "discriminators",
            {name: self._discriminator_loss(name, real[name], made[name]) for name in self.discriminators},
        )

        with frozen(self.discriminators):
            of_sts, of_hat_s = self._scores("hr", y_sts, y_hat_s)
            of_hat_t, of_st = self._scores("lr", x_hat_t, x_st)
            losses = {
                "image_cycle": weight.lambda_image_cycle * self._reconstruction_loss(y_sts, y_s, of_sts),  # 4
                "feature_cycle": weight.lambda_feature_cycle * l1(f_sts, f_s),  # 5
                "hr_consistency": weight.lambda_hr_consistency * self._reconstruction_loss(y_hat_s, y_s, of_hat_s),  # 6
                "lr_consistency": weight.lambda_lr_consistency * self._reconstruction_loss(x_hat_t, x_t, of_hat_t),  # 7
            }
            if of_st is not None:  # 8; nothing of D(x_t) can be learned by generators: it is shown, alone
                losses["da"] = weight.lambda_da * self._confusion_loss(of_st, *self._scores("lr", x_t))
            if "feature" in self.discriminators:  # 9
                losses["fa"] = weight.lambda_fa * self._confusion_loss(*self._scores("feature", f_t, f_s))
            if weight.bounded:
                losses["followed"] = l1(followed, x_st.detach())
            for x_s, y_x_s in zip(taught, y_x, strict=True):
                lesson = self._lesson(y_x_s, y_s, followed, x_s)
                losses |= {name: weight.lambda_measured * loss for name, loss in lesson.items()}
            yield "generators", losses  # 10 is their sum, but for what is measured

    def _measured(self, batch: Batch) -> dict[str, Tensor]:
        """The lesson of the measured degradation alone."""
        x_s = _degraded(batch)
        y_x = self.crop_margin(self.super_resolve(x_s))
        return self._lesson(y_x, self.crop_margin(batch.hr), self.degrade(batch.hr), x_s)

    def _lesson(self, y_x: Tensor, y_s: Tensor, x_y: Tensor, x_s: Tensor) -> dict[str, Tensor]:
        """HR and its LR by the measured degradation are pairs: both ways between them can be learned directly."""
        return {
            "measured_sr": l1(y_x, y_s) + self.settings.alpha * ssim_loss(y_x, y_s, self.settings.loss_form),
            "measured_lr": l1(x_y, x_s),
        }

    def _reconstruction_loss(self, made: Tensor, real: Tensor, scores: Tensor | None) -> Tensor:
        """The sum that equations 4, 6 and 7 share: L_1 + alpha L_SSIM + beta L_adv, the last where there is one."""
        form = self.settings.loss_form
        loss = l1(made, real) + self.settings.alpha * ssim_loss(made, real, form)
        return loss if scores is None else loss + self.settings.beta * generator_loss(scores, form)

    def _confusion_loss(self, one: Tensor | None, other: Tensor | None) -> Tensor:
        """The sum that equations 8 and 9 share: how far the discriminator is from undecided about each."""
        assert one is not None and other is not None, "there is such a discriminator"
        return confusion_loss(one, self.settings.loss_form) + confusion_loss(other, self.settings.loss_form)

    def _discriminator_loss(self, discriminator: str, real: Tensor, made: tuple[Tensor, ...]) -> Tensor:
        """Least squares, real = 1 and made = 0, each pair halved, the pairs summed."""
        scores = self._scores(discriminator, *(one.detach() for one in (real, *made)))
        first, *others = (one for one in scores if one is not None)
        return torch.stack([discriminator_loss(first, one) for one in others]).sum()

    def _scores(self, discriminator: str, *patches: Tensor) -> tuple[Tensor, ...] | tuple[None, ...]:
        """Scores (B, 1) of each; None of each where there is no such discriminator."""
        if discriminator not in self.discriminators:
            return (None,) * len(patches)
        if discriminator == "feature":  # a copy of the image is no feature
            patches = tuple(patch[:, self.copied :] for patch in patches)
        return together(self.discriminators[discriminator], *patches)


def _degraded(batch: Batch) -> Tensor:
    assert batch.degraded is not None, "the loader was not asked for the degraded slabs"
    return batch.degraded


class UdeanPaper(Udean):
    """UDEAN with the paper's settings, under a name of its own; trained without an average and without augmentation.

    It begins with an anchor, which the paper does not have.
    """

    name = "udean_paper"
    learning_rate = 1e-4
    ema_decay = 0.0
    augment = False
    settings_type = PaperSettings
