from itertools import product

import pytest
import torch

from udeansr.methods import build_method
from udeansr.methods.pseudosr import PseudoSrSettings


def built(configuration, settings=None, seed=0):
    torch.manual_seed(seed)
    return build_method("pseudosr", configuration, settings or PseudoSrSettings())


def test_clean_lr_stays_nearly_as_it_is(configuration, batch, learn):
    data = batch(configuration())
    data.lr.mul_(0.5)  # a target of another look: translators have something to do
    clean = torch.nn.functional.avg_pool3d(data.hr[:, None], 2)[:, 0]
    moved = dict.fromkeys((2.0, 0.0), 0.0)
    for weight, seed in product(moved, range(3)):  # of a single one a rounding decides
        settings = PseudoSrSettings(lambda_identity=weight, lambda_cycle=weight)
        method = learn(built(configuration(), settings, seed), data, steps=25, lr=3e-3)
        with torch.inference_mode():
            moved[weight] += (method.translators["to_clean"](clean) - clean).abs().mean().item() / 3
    assert moved[2.0] < 0.3 * moved[0.0]
    assert moved[2.0] < 0.05 * clean.mean()


def test_the_ensemble_is_what_a_symmetric_translator_gives(configuration, batch):
    for rotate90, patch in ((True, (16, 16)), (False, (16, 24))):
        size = configuration(rotate90=rotate90, patch_size=patch)
        data = batch(size)
        method = built(size)  # begins as the identity, which commutes with every motion
        losses = dict(method.turns(data))["translators"]
        assert losses["geometry"].item() == pytest.approx(0, abs=1e-6)
        with torch.no_grad():
            method.translators["to_clean"].decoder.learned.tail.weight.normal_()  # one that does not
        losses = dict(method.turns(data))["translators"]
        assert losses["geometry"] > 0.01


def test_the_ensemble_moves_with_what_it_is_given(configuration, batch):
    size = configuration(rotate90=True, patch_size=(16, 16))
    method = built(size)
    with torch.no_grad():
        for weights in method.translators.parameters():
            weights += 0.05 * torch.randn_like(weights)
    x = batch(size).lr
    turned = method._ensemble(torch.rot90(x, 1, (2, 3)))
    torch.testing.assert_close(turned, torch.rot90(method._ensemble(x), 1, (2, 3)), atol=1e-5, rtol=0)


def test_the_super_resolver_teaches_the_translators_through_its_judge_alone(configuration, batch):
    data = batch(configuration())
    method = built(configuration(), PseudoSrSettings(lambda_sr=0.0))
    turns = method.turns(data)
    _, losses = next(turns)
    assert losses["adversarial_sr"] == 0
    torch.stack(list(losses.values())).sum().backward()
    assert all(weights.grad is None for weights in method.super_resolver.parameters())
    assert [player for player, _ in turns] == ["super_resolver", "discriminators"]


def test_prediction_goes_through_the_translator(configuration):
    method = built(configuration())
    lr = torch.rand(1, 3, 16, 24)
    with torch.inference_mode():
        before = method.super_resolve(lr)
        method.translators["to_clean"].decoder.learned.tail.bias += 0.1
        torch.testing.assert_close(method.super_resolve(lr), method.super_resolver(lr + 0.1))
        assert not torch.allclose(before, method.super_resolve(lr))
