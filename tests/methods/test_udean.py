from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.losses.image import ssim_map
from udeansr.methods import build_method
from udeansr.methods.udean import PaperSettings, Udean, UdeanSettings
from udeansr.training.trainer import Trainer

LETTER = PaperSettings(anchor=False)
DISTINCT = replace(
    LETTER,
    lambda_image_cycle=2.0,
    lambda_feature_cycle=3.0,
    lambda_hr_consistency=5.0,
    lambda_lr_consistency=7.0,
    lambda_da=11.0,
    lambda_fa=13.0,
    alpha=0.3,
    beta=0.2,
)


class Constant(nn.Module):
    """A judge that always gives one score."""

    def __init__(self, score: float) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.tensor(score))

    def forward(self, patch: Tensor) -> Tensor:
        return self.score.expand(len(patch), 1) + 0 * patch.sum()


def built(configuration, settings=None) -> Udean:
    torch.manual_seed(0)
    settings = settings or LETTER
    name = "udean_paper" if isinstance(settings, PaperSettings) else "udean"
    method = build_method(name, configuration, settings)
    assert isinstance(method, Udean)
    return method


def played(method: Udean, batch) -> dict[str, dict[str, float]]:
    return {player: {name: loss.item() for name, loss in losses.items()} for player, losses in method.turns(batch)}


def test_weights_of_the_paper(configuration):
    size = {"features": 64, "groups": 5, "blocks": 5, "patch_size": (64, 64), "discriminator_features": 64}
    with torch.device("meta"):
        generators = build_method("udean_paper", configuration(**size), LETTER).get_submodule("generators")
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in generators.named_children()}
    assert count == {"hr_encoder": 188_160, "lr_encoder": 186_432, "lr_decoder": 2_121_127, "sr_decoder": 2_270_570}
    assert count["lr_encoder"] + count["sr_decoder"] == 2_457_002


def test_the_defaults_are_the_papers():
    assert PaperSettings() == PaperSettings(1.0, 0.1, 1.0, 1.0, 0.1, 0.1, 0.5, 0.01, "paper", True, True)


@pytest.mark.parametrize("form", ["paper", "code"])
def test_equations_4_to_10(form, configuration, batch):
    settings = replace(DISTINCT, loss_form=form)
    method = built(configuration(), settings)
    y_s, x_t = (data := batch(configuration())).hr, data.lr
    found = played(method, data)["generators"]

    g, judge = method.generators, method.discriminators
    f_s, f_t = g.hr_encoder(y_s), g.lr_encoder(x_t)
    x_st, x_hat_t, y_hat_s = g.lr_decoder(f_s), g.lr_decoder(f_t), g.sr_decoder(f_s)
    f_sts = g.lr_encoder(x_st)
    y_sts = g.sr_decoder(f_sts)

    def away(scores: Tensor, target: float) -> Tensor:
        return (scores - target).abs().mean() if form == "paper" else ((scores - target) ** 2).mean()

    def restored(made: Tensor, real: Tensor, who: str) -> Tensor:
        similarity = ssim_map(made, real).mean((1, 2, 3))
        structure = ((1 - similarity) ** 2 if form == "paper" else 1 - similarity**2).mean()
        return (made - real).abs().mean() + 0.3 * structure + 0.2 * away(judge[who](made), 1)

    expected = {
        "image_cycle": 2 * restored(y_sts, y_s, "hr"),
        "feature_cycle": 3 * (f_sts - f_s).abs().mean(),
        "hr_consistency": 5 * restored(y_hat_s, y_s, "hr"),
        "lr_consistency": 7 * restored(x_hat_t, x_t, "lr"),
        "da": 11 * (away(judge["lr"](x_st), 0.5) + away(judge["lr"](x_t), 0.5)),
        "fa": 13 * (away(judge["feature"](f_t), 0.5) + away(judge["feature"](f_s), 0.5)),
    }
    assert found == pytest.approx({name: loss.item() for name, loss in expected.items()}, rel=1e-5)
    assert sum(found.values()) == pytest.approx(sum(expected.values()).item(), rel=1e-5)


@pytest.mark.parametrize(("form", "fooled", "confused"), [("paper", 0.8, 0.3 + 0.3), ("code", 0.8**2, 0.3**2 + 0.3**2)])
def test_judges_that_always_say_one_fifth(form, fooled, confused, configuration, batch):
    data = batch(configuration())
    with_judges = built(configuration(), replace(LETTER, beta=1.0, loss_form=form))
    for who in ("hr", "lr", "feature"):
        with_judges.discriminators[who] = Constant(0.2)
    without = built(configuration(), replace(LETTER, beta=0.0, loss_form=form))
    found, plain = played(with_judges, data), played(without, data)

    for name in ("image_cycle", "hr_consistency", "lr_consistency"):
        assert found["generators"][name] - plain["generators"][name] == pytest.approx(fooled, abs=1e-5)
    assert found["generators"]["da"] == pytest.approx(0.1 * confused)
    assert found["generators"]["fa"] == pytest.approx(0.1 * confused)
    pair = (0.8**2 + 0.2**2) / 2
    assert found["discriminators"] == pytest.approx({"hr": 2 * pair, "lr": pair, "feature": pair})


@pytest.mark.parametrize("image", [True, False])
@pytest.mark.parametrize("feature", [True, False])
def test_switches_decide_which_discriminators_exist(image, feature, configuration, batch):
    method = built(configuration(), replace(LETTER, image_adaptation=image, feature_adaptation=feature))
    discriminators = {"hr"} | ({"lr"} if image else set()) | ({"feature"} if feature else set())
    assert set(method.discriminators) == discriminators
    losses = played(method, batch(configuration()))
    assert set(losses["discriminators"]) == {f"{judge}" for judge in discriminators}
    assert ("da" in losses["generators"], "fa" in losses["generators"]) == (image, feature)


def test_real_images_are_judged_apart_from_made_ones(configuration, batch):
    """Batch normalisation mixes what goes through together: no judge may see more than one group at a time."""
    method = built(configuration())
    seen = {name: [] for name in method.discriminators}
    for name, judge in method.discriminators.items():
        first = next(layer for layer in judge.layers if isinstance(layer, nn.BatchNorm2d))
        first.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(len(inputs[0])))
    played(method, batch(configuration()))
    assert seen == {"hr": [2] * 5, "lr": [2] * 5, "feature": [2] * 4}


def test_discriminators_learn_to_tell(configuration, batch):
    method = built(configuration())
    data = batch(configuration())
    optimiser = torch.optim.Adam(method.discriminators.parameters(), 2e-3)
    totals = []
    for _ in range(6):
        for player, losses in method.turns(data):
            if player == "discriminators":
                total = torch.stack(list(losses.values())).sum()
                optimiser.zero_grad()
                total.backward()
                optimiser.step()
                totals.append(total.item())
    assert totals[-1] < 0.75 * totals[0]


def test_generators_learn_from_equation_10(configuration, batch):
    method = built(configuration(), replace(LETTER, beta=0.0, image_adaptation=False, feature_adaptation=False))
    data = batch(configuration())
    optimiser = torch.optim.Adam(method.generators.parameters(), 3e-3)
    totals = []
    for _ in range(10):
        losses = dict(method.turns(data))["generators"]
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < 0.8 * totals[0]


def test_the_feature_cycle_pulls_on_both_encoders(configuration, batch):
    """f_s is not detached in equation 5."""
    only = PaperSettings(0.0, 1.0, 0.0, 0.0, 0.0, 0.0, anchor=False)
    method = built(configuration(), only)
    losses = dict(method.turns(batch(configuration())))["generators"]
    first = method.generators.hr_encoder.layers[0].weight
    (gradient,) = torch.autograd.grad(losses["feature_cycle"], first)
    direct = built(configuration(), only).generators  # the same weights
    f_s = direct.hr_encoder(batch(configuration()).hr)
    f_sts = direct.lr_encoder(direct.lr_decoder(f_s))
    (detached,) = torch.autograd.grad((f_sts - f_s.detach()).abs().mean(), direct.hr_encoder.layers[0].weight)
    assert not torch.allclose(gradient, detached)


def test_channel_attention_sees_a_training_patch_of_a_slice(configuration):
    method = built(configuration()).eval()
    attention = method.generators.sr_decoder.body.groups[0].blocks[0].attention
    nn.init.constant_(attention.squeeze.bias, 1.0)  # awake: nothing of it is cut off by its ReLU
    lr = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    changed = lr.clone()
    changed[:, :, 48:, 72:] = 1e5
    with torch.inference_mode():
        one, other = method.super_resolve(lr), method.super_resolve(changed)
    torch.testing.assert_close(one[:, :, :40, :60], other[:, :, :40, :60])
    assert not torch.allclose(one[:, :, -20:, -20:], other[:, :, -20:, -20:], atol=1e-3)


def test_bfloat16_agrees_with_float32(configuration, batch):
    data = batch(configuration())
    expected = played(built(configuration()), data)
    with torch.autocast("cpu", torch.bfloat16):
        found = played(built(configuration()), data)
    for player, losses in expected.items():
        assert found[player] == pytest.approx(losses, rel=0.1, abs=0.02)


def test_the_paper_is_the_letter_but_for_the_anchor_and_udean_goes_on_from_it():
    paper, ours = PaperSettings(), UdeanSettings()
    assert (paper.anchor, paper.warm_start, paper.lambda_measured) == (True, 0.0, 0.0)
    added = {"warm_start": 0.0, "lambda_measured": 0.0, "margin_slices": 0}
    assert replace(ours, **added) == UdeanSettings(**asdict(paper))


@pytest.mark.parametrize("seed", range(5))
def test_degraded_hr_is_no_photographic_negative(seed, configuration):
    """Without an anchor none of these seeds gets there: no loss of the paper tells LR from its negative."""
    small = configuration(batch_size=4, features=8, discriminator_features=8, patch_size=(16, 16))
    torch.manual_seed(seed)
    method = build_method("udean_paper", small, PaperSettings())
    trainer = Trainer(method, learning_rate=1e-3, device=torch.device("cpu"), precision="fp32", ema_decay=0.0)
    for iteration in range(100):
        trainer.play(Batch(hr=blobs(4), lr=F.avg_pool3d(blobs(4)[:, None], 2)[:, 0]), iteration)
    hr = blobs(8)
    degraded, truncated = method.eval().degrade(hr).detach(), F.avg_pool3d(hr[:, None], 2)[:, 0]
    assert np.corrcoef(degraded.flatten(), truncated.flatten())[0, 1] > 0.9
    assert degraded.mean().item() == pytest.approx(truncated.mean().item(), rel=0.1)


def blobs(count: int) -> Tensor:
    """Smooth bright shapes on dark ground: (count, 6, 32, 32), 0 to 1."""
    return torch.sigmoid(8 * F.avg_pool2d(torch.randn(count, 6, 40, 40), 9, stride=1) * 9 / 2 - 2)
