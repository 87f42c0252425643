"""UDEAN beyond the paper: anchor, measured start, bounded degradation, margins. Its paper is in test_udean.py."""

import pytest
import torch
from torch import Tensor

from udeansr.errors import UdeansrError
from udeansr.methods import build_method, parse_settings
from udeansr.methods.udean import Udean, UdeanSettings
from udeansr.networks.anchor import shrink, stretch


def built(configuration, settings: UdeanSettings) -> Udean:
    torch.manual_seed(0)
    method = build_method("udean", configuration, settings)
    assert isinstance(method, Udean)
    return method


def played(method: Udean, batch) -> dict[str, dict[str, float]]:
    return {player: {name: loss.item() for name, loss in losses.items()} for player, losses in method.turns(batch)}


@pytest.mark.parametrize(("progress", "players"), [(0.0, 1), (0.49, 1), (0.5, 2), (1.0, 2)])
def test_adversaries_wait_for_the_warm_start(progress, players, configuration, batch):
    method = built(configuration(), UdeanSettings(warm_start=0.5))
    method.progress = progress
    turns = list(method.turns(batch(configuration())))
    assert len(turns) == players
    losses = dict(turns)["generators"]
    assert {"measured_sr", "measured_lr"} <= set(losses)
    assert ("da" in losses) == (players == 2)


def test_adversaries_that_never_play_are_refused():
    with pytest.raises(UdeansrError, match="warm_start=1 leaves the adversaries no turn; expected less, or the method"):
        parse_settings("udean", ["udean.warm_start=1"])


def test_what_was_measured_teaches_both_ways(configuration, batch):
    """Untrained, both ways are interpolation and averaging: the lesson is how far those are from the pair."""
    method = built(configuration(), UdeanSettings(alpha=0.0))
    pairs = batch(configuration())
    ((_, losses),) = method.turns(pairs)
    up, down = stretch(pairs.degraded, pairs.hr.shape[1], (2, 2)), shrink(pairs.hr, 3, (2, 2))
    torch.testing.assert_close(losses["measured_sr"], (up - pairs.hr)[:, 2:4].abs().mean())
    torch.testing.assert_close(losses["measured_lr"], (down - pairs.degraded).abs().mean())


def test_the_feature_judge_does_not_see_the_copy(configuration):
    method = built(configuration(features=8), UdeanSettings(warm_start=0.5))
    features = torch.rand(2, 8, 16, 24)
    changed = features.clone()
    changed[:, :3] += 1
    (before,), (after,) = method.eval()._scores("feature", features), method._scores("feature", changed)
    assert torch.equal(before, after)


def gradients(method: Udean, loss: Tensor, *names: str) -> list[bool]:
    """Whether a loss moves each of the generators' parts."""
    moved = []
    for name in names:
        parts = torch.autograd.grad(
            loss, list(getattr(method.generators, name).parameters()), retain_graph=True, allow_unused=True
        )
        moved.append(any(part is not None and bool(part.abs().sum() > 0) for part in parts))
    return moved


def test_a_bounded_degradation_is_moved_by_its_judge_alone(configuration, batch):
    method = built(configuration(), UdeanSettings(warm_start=0.0, bounded=True))
    losses = dict(method.turns(batch(configuration())))["generators"]
    assert set(losses) >= {"da", "fa", "image_cycle", "followed"}
    for name, loss in losses.items():
        assert gradients(method, loss, "degradation") == [name == "da"], name


def test_the_networks_follow_the_bounded_degradation(configuration, batch):
    settings = UdeanSettings(warm_start=0.0, bounded=True, lambda_measured=0.0)
    data = batch(configuration())
    method = built(configuration(), settings)
    losses = dict(method.turns(data))["generators"]
    assert gradients(method, losses["followed"], "lr_decoder", "sr_decoder") == [True, False]
    expected = (shrink(data.hr, 3, (2, 2)) - data.degraded).abs().mean()  # nothing is learned yet, but for some noise
    assert losses["followed"].item() == pytest.approx(expected.item(), abs=2e-3)


def test_adversaries_judge_what_is_answered_for(configuration, batch):
    method = built(configuration(), UdeanSettings(warm_start=0.0))
    data = batch(configuration())
    before = played(method, data)
    data.degraded[:] = data.lr  # other pairs: only the lesson of what is measured changes
    changed = {name for name, loss in played(method, data)["generators"].items() if loss != before["generators"][name]}
    assert changed == {"measured_sr", "measured_lr"}
    data.hr[:, 0] = 0  # of a margin: encoders see it, nothing is compared with it
    seen = []
    method.discriminators["hr"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    played(method, data)
    assert set(seen) == {2}
