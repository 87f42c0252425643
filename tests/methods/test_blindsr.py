import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.methods import build_method, parse_settings
from udeansr.methods.backbone import shrink_cubically
from udeansr.methods.blindsr import BlindSrSettings
from udeansr.methods.supervised import SupervisedSettings


def built(configuration, settings=None, seed=0):
    torch.manual_seed(seed)
    return build_method("blindsr", configuration, settings or BlindSrSettings())


def test_its_second_stage_alone_is_supervised_on_clean_lr(configuration, batch, learn):
    data = batch(configuration())
    alone = learn(built(configuration(), BlindSrSettings(first_stage=0.0)), data)
    torch.manual_seed(0)
    supervised = build_method("supervised", configuration(), SupervisedSettings(network="rcan"))
    pairs = Batch(data.hr, data.lr, degraded=shrink_cubically(data.hr, alone.scale))
    learn(supervised, pairs)
    lr = torch.rand(1, 3, 16, 24)
    with torch.inference_mode():
        torch.testing.assert_close(alone.super_resolve(lr), supervised.super_resolve(lr))


def test_the_stages_share_nothing_but_the_batch(configuration, batch, learn):
    data = batch(configuration())
    method = built(configuration())
    assert [player for player, _ in method.turns(data)] == ["translators", "discriminators"]
    method.progress = 0.5
    assert [player for player, _ in method.turns(data)] == ["super_resolver"]
    ((_, before),) = method.turns(data)
    learnt = built(configuration())
    learn(learnt, data)
    learnt.progress = 0.5
    ((_, after),) = learnt.turns(data)
    assert before == after


def test_the_cycle_pays_for_what_does_not_come_back(configuration, batch):
    data = batch(configuration())
    method = built(configuration())
    losses = dict(method.turns(data))["translators"]
    assert losses["cycle"] == losses["identity"] == 0  # both begin as the identity
    with torch.no_grad():
        method.translators["to_clean"].decoder.learned.tail.bias += 0.1
    losses = dict(method.turns(data))["translators"]
    assert losses["cycle"].item() == pytest.approx(10 * (0.1 + 0.1), rel=1e-4)
    assert losses["identity"].item() == pytest.approx(5 * 0.1, rel=1e-4)


def test_clean_lr_by_nearest_is_a_voxel_of_each_cell(configuration):
    method = built(configuration(), BlindSrSettings(shrink="nearest"))
    hr = torch.rand(1, 6, 16, 24)
    assert torch.equal(method.degrade(hr), method.translators["to_target"](hr[:, 1::2, 1::2, 1::2]))


@pytest.mark.parametrize("share", ["1.5", "-0.1", "nan"])
def test_a_stage_is_a_part_of_the_training(share):
    with pytest.raises(UdeansrError, match=r"blindsr: 'first_stage' is .*; expected"):
        parse_settings("blindsr", [f"blindsr.first_stage={share}"])
