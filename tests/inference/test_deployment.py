import pytest
import torch

from udeansr.inference.deployment import empty_method, fill, keep_averaged, keep_deployed
from udeansr.methods import METHODS, build_method, parse_settings
from udeansr.strict_json import as_json

TRAINED = [name for name, kind in METHODS.items() if kind.players and kind.needs_cohort]


@pytest.mark.parametrize("name", TRAINED)
def test_what_is_kept_answers_as_the_whole_does(name, tiny_configuration):
    torch.manual_seed(0)
    configuration = tiny_configuration(features=16)
    whole = build_method(name, configuration, parse_settings(name, [])).eval()
    for parameter in whole.parameters():
        parameter.data = torch.randn_like(parameter) * 0.1
    deployed = empty_method(name, configuration, as_json(parse_settings(name, [])))
    assert all(parameter.is_meta for parameter in deployed.parameters())
    keep_deployed(deployed)
    weights = {key: weight for key, weight in whole.state_dict().items() if key in deployed.state_dict()}
    assert 0 < len(weights) == len(deployed.state_dict())
    fill(deployed, weights, "cpu")
    slab = torch.rand(2, 3, 18, 21)
    with torch.inference_mode():
        torch.testing.assert_close(deployed.super_resolve(slab), whole.super_resolve(slab), rtol=1e-4, atol=1e-4)
    assert not deployed.training and not any(parameter.requires_grad for parameter in deployed.parameters())


@pytest.mark.parametrize("name", TRAINED)
def test_what_is_averaged_still_degrades_and_explains(name, tiny_configuration):
    method = build_method(name, tiny_configuration(features=16), parse_settings(name, []))
    keep_averaged(method)
    assert {key.partition(".")[0] for key in method.state_dict()} <= set(method.averaged)
    hr, lr = torch.rand(1, 6, 32, 48), torch.rand(1, 3, 16, 24)
    with torch.inference_mode():
        assert method.super_resolve(lr).shape == hr.shape
        method.degrade(hr)
        method.explanations(hr, lr)


def test_judges_are_not_kept(tiny_configuration):
    udean = empty_method("udean", tiny_configuration(), {"warm_start": 0.5})
    assert any(name.startswith("discriminators.") for name in udean.state_dict())
    keep_averaged(udean)
    kept = set(udean.state_dict())
    assert {name.partition(".")[0] for name in kept} == {"generators"}
    keep_deployed(udean)
    assert {name.split(".")[1] for name in udean.state_dict()} == {"lr_encoder", "sr_decoder"}


def test_weights_that_are_not_all_there_do_not_fill(tiny_configuration):
    method = empty_method("supervised", tiny_configuration(), {})
    with pytest.raises(RuntimeError, match="Missing key"):
        fill(method, {}, "cpu")


def test_a_slab_beside_itself_restored_is_passed_whole(tiny_configuration):
    method = empty_method("supervised", tiny_configuration(source_degradation="randomized"), {})
    before = set(method.state_dict())
    keep_deployed(method)
    assert set(method.state_dict()) == before
