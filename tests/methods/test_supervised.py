from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.methods import build_method, parse_settings
from udeansr.methods.supervised import Supervised, SupervisedSettings
from udeansr.methods.udean import UdeanSettings
from udeansr.networks.anchor import stretch
from udeansr.training.trainer import Trainer, warm_up


def built(configuration, settings=None):
    torch.manual_seed(0)
    return build_method("supervised", configuration, settings or SupervisedSettings())


def test_it_begins_as_interpolation_and_learns_from_the_pair(configuration, batch):
    data = batch(configuration())
    method = built(configuration(), SupervisedSettings(alpha=0.0, margin_slices=0))
    ((player, losses),) = method.turns(data)
    up = stretch(data.degraded, data.hr.shape[1], (2, 2))
    torch.testing.assert_close(losses["l1"], (up - data.hr).abs().mean())
    assert player == "generators" and losses["ssim"] == 0

    optimiser = torch.optim.Adam(method.parameters(), 1e-2)
    totals = []
    for _ in range(20):
        ((_, losses),) = method.turns(data)
        total = losses["l1"] + losses["ssim"]
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < 0.9 * totals[0]


@pytest.mark.parametrize("seed", range(3))
def test_at_its_own_rate_its_last_units_stay_alive(seed, configuration):
    """Without a warm-up of the rate less than 1 % of them are left here, and it is interpolation for good."""
    size = configuration("x2x2x1", features=32, groups=2, blocks=2, patch_size=(32, 32))
    torch.manual_seed(seed)
    method = build_method("supervised", size, SupervisedSettings())
    rate = Supervised.learning_rate
    trainer = Trainer(method, learning_rate=rate, device=torch.device("cpu"), precision="fp32", ema_decay=0.0)
    for iteration in range(40):
        hr = torch.sigmoid(24 * F.avg_pool2d(torch.randn(8, 3, 72, 72), 9, stride=1) - 2)
        lr = F.avg_pool2d(hr, 2)
        trainer.set_learning_rate(rate * warm_up(iteration, 5000))
        trainer.play(Batch(hr=hr, lr=lr, degraded=lr), iteration)
    alive = []
    last_units = cast(nn.Module, method.get_submodule("generators.up"))
    last_units.register_forward_hook(lambda _, inputs, output: alive.append((output > 0).float().mean().item()))
    method.eval().super_resolve(lr)
    assert alive[0] > 0.2


def test_only_the_middle_of_a_slab_is_learnt(configuration, batch):
    data = batch(configuration())
    ((_, before),) = built(configuration()).turns(data)
    data.hr[:, [0, 1, 4, 5]] = 0  # x2x2x2: the middle LR slice is HR slices 2 and 3
    ((_, after),) = built(configuration()).turns(data)
    assert before == after
    data.hr[:, 2] = 0
    ((_, changed),) = built(configuration()).turns(data)
    assert changed["l1"] != after["l1"]


def test_a_margin_that_leaves_nothing_is_told(configuration):
    with pytest.raises(
        UdeansrError, match=r"supervised\.margin_slices is 2, and the slabs of x2x2x2 have 3 slices: none"
    ):
        built(configuration(), SupervisedSettings(margin_slices=2))


def test_real_lr_teaches_it_nothing(configuration, batch):
    data = batch(configuration())
    method = built(configuration())
    before = [losses for _, losses in method.turns(data)]
    data.lr.zero_()
    after = [losses for _, losses in method.turns(data)]
    assert before == after


@pytest.mark.parametrize("anchor", [True, False])
def test_it_is_what_udean_deploys(anchor, configuration):
    deployed = built(configuration(), SupervisedSettings(network="rcan", anchor=anchor)).state_dict()
    whole = build_method("udean", configuration(), UdeanSettings(anchor=anchor)).state_dict()
    of_udean = {name.replace("lr_encoder", "encoder").replace("sr_decoder", "decoder"): w for name, w in whole.items()}
    assert {name: w.shape for name, w in deployed.items()} == {
        name: w.shape for name, w in of_udean.items() if name.split(".")[1] in ("encoder", "decoder")
    }


@pytest.mark.parametrize(
    ("assignments", "pairs"),
    [
        ([], "synthetic"),
        (["supervised.pairs=synthetic"], "synthetic"),
        (["supervised.pairs=real"], "real"),
        (["supervised.register=true"], "registered"),
    ],
)
def test_which_pairs_it_asks_for(assignments, pairs, configuration):
    assert built(configuration(), parse_settings("supervised", assignments)).pairs == pairs


def test_unknown_pairs_are_told():
    with pytest.raises(UdeansrError, match="'pairs' is \"registered\"; expected 'synthetic' or 'real'"):
        parse_settings("supervised", ["supervised.pairs=registered"])
