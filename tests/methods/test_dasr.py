import math

import pytest
import torch
import torch.nn.functional as F

from udeansr.batches.batch import Batch
from udeansr.methods import build_method
from udeansr.methods.dasr import RECEPTIVE_FIELD, BandDiscriminator, DasrSettings, haar, upsample_scores


def test_bands_hold_all_there_is():
    slab = torch.rand(2, 3, 8, 6)
    low, high = haar(slab)
    assert low.shape == (2, 3, 4, 3) and high.shape == (2, 9, 4, 3)
    energy = 4 * low.square().sum() + high.square().sum()  # the low band is the mean, half the orthonormal one
    torch.testing.assert_close(energy, slab.square().sum())
    torch.testing.assert_close(low, torch.nn.functional.avg_pool2d(slab, 2))


def test_each_high_band_sees_its_direction():
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).tile(4, 4)
    stripes = torch.tensor([[1.0, -1.0], [1.0, -1.0]]).tile(4, 4)
    for place, slab in enumerate((stripes, stripes.T, checks)):
        _, high = haar(slab[None, None])
        assert [band.abs().sum() > 0 for band in high[0]] == [band == place for band in range(3)]
    _, high = haar(torch.ones(1, 1, 4, 4))
    assert not high.any()


def test_odd_sides_are_the_callers_mistake():
    with pytest.raises(ValueError, match="a slab of 7 x 8; expected even sides"):
        haar(torch.zeros(1, 1, 7, 8))


def test_a_place_of_the_judge_sees_its_receptive_field():
    judge = BandDiscriminator(1, 2).eval()
    for layer in judge.layers:  # instance norm looks at the whole image: what lies extra it is what counts here
        if isinstance(layer, torch.nn.InstanceNorm2d):
            layer.track_running_stats, layer.running_mean = True, torch.zeros(layer.num_features)
            layer.running_var = torch.ones(layer.num_features)
    bands = torch.zeros(1, 3, 31, 31)
    with torch.inference_mode():
        still = judge(bands)
        bands[..., 15, 15] = 1
        changed = (judge(bands) != still)[0, 0].nonzero()
    assert (changed.amax(0) - changed.amin(0) + 1).tolist() == [RECEPTIVE_FIELD, RECEPTIVE_FIELD]


def test_a_verdict_is_spread_over_what_it_saw():
    scores = torch.zeros(1, 1, 33, 33)
    scores[..., 16, 16] = 1
    seen = upsample_scores(scores, (33, 33))[0, 0]
    assert (seen > 0).sum() == RECEPTIVE_FIELD**2
    assert seen[16, 16].item() == pytest.approx(1 / RECEPTIVE_FIELD**2)
    everywhere = upsample_scores(torch.full((1, 1, 9, 9), 0.3), (36, 18))
    torch.testing.assert_close(everywhere, torch.full_like(everywhere, 0.3))  # at the borders too


def built(configuration, settings=None):
    torch.manual_seed(0)
    return build_method("dasr", configuration, settings or DasrSettings())


def test_the_map_is_higher_where_the_degraded_image_looks_like_the_target(configuration):
    size = configuration("x2x2x1", patch_size=(64, 64), discriminator_features=16, features=4)
    method = built(size)
    generator = torch.Generator().manual_seed(1)

    def smooth():
        return F.interpolate(torch.rand(2, 3, 12, 12, generator=generator), size=(64, 64), mode="bicubic")

    def grain():
        return 0.1 * torch.randn(2, 3, 64, 64, generator=generator)

    optimiser = torch.optim.Adam(method.lr_discriminator.parameters(), 1e-3)
    for _ in range(100):  # the target has grain, degraded HR has none
        hr = F.interpolate(smooth(), scale_factor=2.0, mode="bicubic")
        turns = dict(method.turns(Batch(hr=hr, lr=smooth() + grain())))
        optimiser.zero_grad()
        turns["lr_discriminator"]["loss"].backward()
        optimiser.step()
    plain, noise = smooth(), grain()
    with torch.inference_mode():
        before, after = method.distance_map(plain), method.distance_map(plain + noise)
        noise[..., :32] = 0
        shown = method.distance_map(plain + noise)  # the right half alone looks like the target
    assert shown.shape == (2, 1, 128, 128)
    assert min(before.min(), after.min()) >= 0 and max(before.max(), after.max()) <= 1
    assert after.mean() > before.mean() + 0.2
    assert shown[..., -40:].mean() > shown[..., :40].mean() + 0.02


def test_the_map_weighs_the_pixels(configuration, batch):
    data = batch(configuration())
    method, unweighed = built(configuration()), built(configuration(), DasrSettings(distance_map=False))
    for one in (method, unweighed):
        one.progress = 0.5
    with torch.no_grad():
        method.lr_discriminator.layers[-1].weight.zero_()
        method.lr_discriminator.layers[-1].bias.fill_(math.log(0.25 / 0.75))  # the judge says 0.25 everywhere
    weighed, plain = (dict(one.turns(data))["super_resolver"] for one in (method, unweighed))
    assert weighed["l1"].item() == pytest.approx(0.25 * plain["l1"].item(), rel=1e-5)
    assert weighed["ssim"] == plain["ssim"] and weighed["low"] == plain["low"]


def test_what_is_learnt_first_is_fixed_afterwards(configuration, batch):
    method = built(configuration())
    first = [player for player, _ in method.turns(batch(configuration()))]
    method.progress = 0.7
    later = [player for player, _ in method.turns(batch(configuration()))]
    assert (first, later) == (["degradation", "lr_discriminator"], ["super_resolver", "hr_discriminator"])


def test_a_judge_that_cannot_tell_is_told_log_two(configuration, batch):
    method = built(configuration())
    with torch.no_grad():
        for weights in method.lr_discriminator.layers[-1].parameters():
            weights.zero_()
    turns = dict(method.turns(batch(configuration())))
    assert turns["lr_discriminator"]["loss"].item() == pytest.approx(math.log(2), rel=1e-5)
    assert turns["degradation"]["adversarial"].item() == pytest.approx(0.005 * math.log(2), rel=1e-5)


def test_a_degradation_begins_as_averaging(configuration, batch):
    method = built(configuration())
    hr = batch(configuration()).hr
    with torch.inference_mode():
        torch.testing.assert_close(method.degrade(hr), F.avg_pool3d(hr[:, None], 2)[:, 0])
        shown = method.explanations(hr, batch(configuration()).lr)
    assert shown["domain-distance map"].shape == hr.shape
