import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.methods import METHODS, build_method, parse_settings

SMALL = ["self.features=4", "self.blocks=1"]


def built(configuration, scale="x1x1x3", *settings):
    torch.manual_seed(0)
    return build_method("self", configuration(scale), parse_settings("self", [*SMALL, *settings]))


def test_it_needs_no_cohort_and_is_not_zero_shot():
    assert not METHODS["self"].needs_cohort and not METHODS["self"].is_zero_shot
    assert all(method.needs_cohort for name, method in METHODS.items() if name != "self")


def test_a_volume_is_given_whole_and_both_orientations_of_planes_have_a_say(configuration):
    method = built(configuration).eval()
    with torch.no_grad():
        method.network.last.weight.normal_()
    lr = torch.rand(2, 4, 6, 5)
    with torch.inference_mode():
        sr = method.super_resolve(lr)
        swapped = method.super_resolve(lr.mT).mT
    assert method.slab_slices is None and sr.shape == (2, 12, 6, 5)
    assert torch.allclose(sr, swapped, atol=1e-5)
    assert not torch.allclose(sr, method._by_planes(lr), atol=1e-3)


def test_planes_in_chunks_give_the_same(configuration, monkeypatch):
    method = built(configuration).eval()
    lr = torch.rand(1, 4, 6, 5)
    with torch.inference_mode():
        whole = method.super_resolve(lr)
        monkeypatch.setattr("udeansr.methods.self_supervised.PIXELS_AT_ONCE", 1)
        assert torch.allclose(method.super_resolve(lr), whole, atol=1e-6)


def test_its_one_turn_teaches_its_network(configuration):
    method = built(configuration)
    batch = Batch(hr=torch.rand(2, 1, 12, 8), lr=torch.rand(2, 1, 4, 8))
    ((player, losses),) = method.turns(batch)
    assert player == "network" and set(losses) == {"l1"}
    losses["l1"].backward()
    assert method.network.last.weight.grad.abs().max() > 0


def test_it_knows_the_slice_thickness_that_it_was_told(configuration):
    assert built(configuration).slice_thickness == 1
    assert built(configuration, "x1x1x3", "self.thickness=0.7").slice_thickness == 0.7


def test_only_slices_become_finer(configuration):
    with pytest.raises(ValueError, match="expected x1x1x2 and the like, not x2x2x2"):
        built(configuration, "x2x2x2")
