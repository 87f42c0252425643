import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.methods import METHODS, build_method, parse_settings


def built(name, configuration, *assignments):
    torch.manual_seed(0)
    return build_method(name, configuration, parse_settings(name, list(assignments)))


@pytest.mark.parametrize("anchor", ["true", "false"])
def test_it_is_the_supervised_method_on_other_pairs(anchor, configuration, batch):
    """Built from one seed, both have the same weights, answers and losses."""
    zssr = built("zssr", configuration(), f"zssr.anchor={anchor}")
    supervised = built("supervised", configuration(), f"supervised.anchor={anchor}", "supervised.network=rcan")
    data = batch(configuration())
    ((player, losses),) = zssr.turns(data)
    ((_, expected),) = supervised.turns(data)
    assert player == "generators" and losses == expected
    assert sum(map(torch.numel, zssr.parameters())) == sum(map(torch.numel, supervised.parameters()))
    with torch.inference_mode():
        assert torch.equal(zssr.super_resolve(data.lr), supervised.super_resolve(data.lr))


def test_it_says_where_it_learns():
    assert METHODS["zssr"].is_zero_shot
    assert not METHODS["supervised"].is_zero_shot


@pytest.mark.parametrize("assignment", ["iterations=-1", "back_projections=0.5", "alpha=-1"])
def test_what_is_no_count_and_no_weight_is_refused(assignment):
    with pytest.raises(UdeansrError, match=f"zssr: '{assignment.partition('=')[0]}' is"):
        parse_settings("zssr", [f"zssr.{assignment}"])
