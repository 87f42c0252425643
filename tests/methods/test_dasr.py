import math

import pytest
import torch
import torch.nn.functional as F

from udeansr.batches.batch import Batch
from udeansr.methods import build_method
from udeansr.methods.dasr import DasrSettings


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

    optimiser = torch.optim.Adam(method.lr_judge.parameters(), 1e-3)
    for _ in range(100):  # the target has grain, degraded HR has none
        hr = F.interpolate(smooth(), scale_factor=2.0, mode="bicubic")
        turns = dict(method.turns(Batch(hr=hr, lr=smooth() + grain())))
        optimiser.zero_grad()
        turns["lr_judge"]["tell"].backward()
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
        method.lr_judge.layers[-1].weight.zero_()
        method.lr_judge.layers[-1].bias.fill_(math.log(0.25 / 0.75))  # the judge says 0.25 everywhere
    weighed, plain = (dict(one.turns(data))["super_resolver"] for one in (method, unweighed))
    assert weighed["l1"].item() == pytest.approx(0.25 * plain["l1"].item(), rel=1e-5)
    assert weighed["ssim"] == plain["ssim"] and weighed["low"] == plain["low"]


def test_what_is_learnt_first_is_fixed_afterwards(configuration, batch):
    method = built(configuration())
    first = [player for player, _ in method.turns(batch(configuration()))]
    method.progress = 0.7
    later = [player for player, _ in method.turns(batch(configuration()))]
    assert (first, later) == (["degradation", "lr_judge"], ["super_resolver", "hr_judge"])


def test_a_judge_that_cannot_tell_is_told_log_two(configuration, batch):
    method = built(configuration())
    with torch.no_grad():
        for weights in method.lr_judge.layers[-1].parameters():
            weights.zero_()
    turns = dict(method.turns(batch(configuration())))
    assert turns["lr_judge"]["tell"].item() == pytest.approx(math.log(2), rel=1e-5)
    assert turns["degradation"]["adversarial"].item() == pytest.approx(0.005 * math.log(2), rel=1e-5)


def test_a_degradation_begins_as_averaging(configuration, batch):
    method = built(configuration())
    hr = batch(configuration()).hr
    with torch.inference_mode():
        torch.testing.assert_close(method.degrade(hr), F.avg_pool3d(hr[:, None], 2)[:, 0])
        shown = method.explanations(hr, batch(configuration()).lr)
    assert shown["domain-distance map"].shape == hr.shape
