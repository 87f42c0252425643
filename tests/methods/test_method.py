"""The contract that every method keeps."""

import json
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import udeansr
from udeansr.batches.batch import Batch
from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.errors import UdeansrError
from udeansr.methods import METHODS, build_method, load_settings, parse_settings
from udeansr.methods.method import frozen
from udeansr.methods.settings import without_effect
from udeansr.networks.anchor import stretch
from udeansr.planning.configuration import Configuration
from udeansr.planning.domain import find_domain

OF_COHORTS = [name for name, method in METHODS.items() if method.needs_cohort]
SCALES = ["x2x2x2", "x2x2x1", "x3x2x1", "x4x4x2", "x1x1x3"]


def built(name, configuration, seed=0):
    torch.manual_seed(seed)
    return build_method(name, configuration, parse_settings(name, []))


@pytest.mark.parametrize("name", OF_COHORTS)
def test_a_method_knows_its_name_and_its_settings(name, configuration):
    method = built(name, configuration())
    assert type(method) is METHODS[name]
    assert method.name == name
    assert is_dataclass(method.settings_type)
    assert method.settings == method.settings_type()


@pytest.mark.parametrize("name", OF_COHORTS)
@pytest.mark.parametrize("scale", SCALES)
def test_every_method_answers_on_the_hr_grid_for_any_plane(name, scale, configuration):
    method = built(name, configuration(scale, patch_size=(8, 8))).eval()
    z, y, x = method.scale.zyx
    for plane in ((8, 8), (5, 4), (9, 21)):
        lr = torch.rand(2, method.slab_slices or 4, *plane)
        with torch.inference_mode():
            sr = method.super_resolve(lr)
            hr = torch.rand(2, lr.shape[1] * z, plane[0] * y, plane[1] * x)
            degraded = method.degrade(hr)
        assert sr.shape == hr.shape
        assert sr.dtype == torch.float32
        assert degraded is None or degraded.shape == lr.shape


@pytest.mark.parametrize("name", OF_COHORTS)
def test_players_and_averaged_are_submodules(name, configuration):
    method = built(name, configuration())
    owners = [{id(p) for p in method.get_submodule(player).parameters()} for player in method.players]
    assert sum(map(len, owners)) == len(set().union(*owners)) == len(list(method.parameters()))
    for part in method.averaged:
        assert list(method.get_submodule(part).parameters())
    assert bool(method.players) == bool(method.averaged)


@pytest.mark.parametrize("name", OF_COHORTS)
def test_each_turn_gives_gradients_to_its_player_alone_and_all_play(name, configuration, batch):
    method = built(name, configuration())
    played = set()
    for start in (*method.stage_starts, 0.9):  # at the end all play
        method.progress = start
        turns = 0
        for player, losses in method.turns(batch(configuration())):
            assert all(loss.shape == () and loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
            method.zero_grad(set_to_none=True)
            torch.stack(list(losses.values())).sum().backward()
            for part, parameter in method.named_parameters():
                has_gradient = parameter.grad is not None and bool(parameter.grad.isfinite().all())
                assert has_gradient == part.startswith(f"{player}."), part
            played.add(player)
            turns += 1
        assert bool(turns) == bool(method.players)
    assert played == set(method.players)
    assert all(parameter.requires_grad for parameter in method.parameters())


@pytest.mark.parametrize("name", OF_COHORTS)
def test_stages_follow_one_another(name, configuration):
    method = built(name, configuration())
    assert method.stage_starts[0] == 0 and list(method.stage_starts) == sorted(set(method.stage_starts))
    stages = []
    for progress in (*method.stage_starts, 1.0):
        method.progress = progress
        stages.append(method.stage)
    assert stages == [*range(len(method.stage_starts)), len(method.stage_starts) - 1]


@pytest.mark.parametrize("name", OF_COHORTS)
def test_answers_are_the_same_each_time_and_nothing_learns_from_them(name, configuration):
    method = built(name, configuration()).eval()
    before = {key: value.clone() for key, value in method.state_dict().items()}
    lr = torch.rand(1, 3, 20, 30)
    with torch.inference_mode():
        assert torch.equal(method.super_resolve(lr), method.super_resolve(lr))
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())


@pytest.mark.parametrize("name", OF_COHORTS)
def test_weights_are_all_there_is_to_keep(name, configuration):
    one, other = (built(name, configuration(), seed).eval() for seed in (1, 2))
    lr = torch.rand(1, 3, 16, 24)
    with torch.inference_mode():
        for weights in one.parameters():
            weights += 0.01 * torch.randn_like(weights)
        if one.players:
            assert not torch.equal(one.super_resolve(lr), other.super_resolve(lr))
        other.load_state_dict(one.state_dict())
        assert torch.equal(one.super_resolve(lr), other.super_resolve(lr))


@pytest.mark.parametrize("name", OF_COHORTS)
def test_averaged_holds_all_that_prediction_needs(name, configuration):
    one, other = (built(name, configuration(), seed).eval() for seed in (1, 2))
    for part in one.averaged:
        other.get_submodule(part).load_state_dict(one.get_submodule(part).state_dict())
    lr, hr = torch.rand(1, 3, 16, 24), torch.rand(1, 6, 32, 48)
    with torch.inference_mode():
        assert torch.equal(one.super_resolve(lr), other.super_resolve(lr))
        degraded = one.degrade(hr)
        if degraded is not None:
            assert torch.equal(degraded, other.degrade(hr))


@pytest.mark.parametrize("name", OF_COHORTS)
def test_settings_go_to_json_and_come_back(name):
    settings = METHODS[name].settings_type()
    for item in fields(settings):
        if item.type == "float":
            settings = replace(settings, **{item.name: 0.375}, margin_slices=0)
    assert load_settings(name, json.loads(json.dumps(asdict(settings)))) == settings
    with pytest.raises(AttributeError):  # frozen
        settings.anything = 1


OTHER_VALUES = {
    "warm_start": 0.2, "network": "rcan", "loss_form": "code", "pairs": "real", "shrink": "nearest",
    "discriminator_normalization": "none", "iterations": 7,
}  # fmt: skip
READ_IN_PREDICTION = {
    "zssr": {"iterations", "median", "back_projections"},
    "self": {"iterations", "pretrained", "batch_size", "patch_rows", "patch_columns"},
}


def other_value(name: str, value: Any) -> Any:
    """A value that the setting does not have."""
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    if name == "margin_slices":
        return 1 - value
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else value / 2 + 0.1


def what_it_does(name: str, settings: Any, configuration: Configuration, data: Batch | None) -> dict[str, Any]:
    """All that a setting can change: weights, losses in each part of the training, what batches and slabs are."""
    torch.manual_seed(0)
    method = build_method(name, configuration, settings)
    shapes = {key: tuple(weights.shape) for key, weights in method.state_dict().items()}
    with torch.no_grad():
        for weights in method.parameters():  # those that begin as nothing would hide what the others do
            weights += 0.02 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(weights.numel()))
    losses: list[Any] = []
    for progress in (0.0, 0.3, 0.55, 0.9) if data is not None else ():
        method.progress = progress
        losses += [(player, {key: x.item() for key, x in terms.items()}) for player, terms in method.turns(data)]
    asked = (method.pairs, method.margin_slices, method.stage_starts, method.uses_degraded, method.slice_thickness)
    return {"weights": shapes, "losses": losses, "asked": asked}


@pytest.mark.parametrize("name", list(METHODS))
def test_every_setting_acts_or_is_refused(name, configuration, batch):
    cohorts = METHODS[name].needs_cohort
    tiny = configuration() if cohorts else configuration(scale="x1x1x2")
    data = batch(tiny) if cohorts else None
    defaults = METHODS[name].settings_type()
    plain = what_it_does(name, defaults, tiny, data)
    prediction = "".join(path.read_text() for path in (Path(udeansr.__file__).parent / "prediction").glob("*.py"))
    for item in fields(defaults):
        changed = other_value(item.name, getattr(defaults, item.name))
        if item.name in READ_IN_PREDICTION.get(name, ()):
            assert f".{item.name}" in prediction  # what it does there, tests/prediction shows
            continue
        try:
            settings = parse_settings(name, [f"{name}.{item.name}={changed}"])
        except UdeansrError as error:
            assert "has no effect beside" in str(error), error
            assert item.name in without_effect(defaults)
            continue
        assert what_it_does(name, settings, tiny, data) != plain, item.name


@pytest.mark.parametrize(
    ("assignments", "name", "reason"),
    [
        (["udean.image_adaptation=no", "udean.lambda_da=1"], "udean.lambda_da", "udean.image_adaptation=false"),
        (["udean.lambda_fa=1", "udean.feature_adaptation=no"], "udean.lambda_fa", "udean.feature_adaptation=false"),
        (["supervised.anchor=yes"], "supervised.anchor", "supervised.network=residual"),
        (["supervised.alpha=0", "supervised.loss_form=code"], "supervised.loss_form", "supervised.alpha=0"),
        (["supervised.pairs=real", "supervised.register=on"], "supervised.pairs", "supervised.register=true"),
        (["dasr.first_stage=1", "dasr.distance_map=no"], "dasr.distance_map", "dasr.first_stage=1"),
        (["dasr.alpha=0", "dasr.loss_form=code"], "dasr.loss_form", "dasr.alpha=0"),
        (["pseudosr.alpha=0", "pseudosr.loss_form=code"], "pseudosr.loss_form", "pseudosr.alpha=0"),
        (["blindsr.first_stage=0", "blindsr.lambda_cycle=1"], "blindsr.lambda_cycle", "blindsr.first_stage=0"),
        (["blindsr.first_stage=1", "blindsr.alpha=1"], "blindsr.alpha", "blindsr.first_stage=1"),
        (["blindsr.alpha=0", "blindsr.loss_form=code"], "blindsr.loss_form", "blindsr.alpha=0"),
        (["zssr.iterations=0", "zssr.alpha=1"], "zssr.alpha", "zssr.iterations=0"),
        (["zssr.alpha=0", "zssr.loss_form=code"], "zssr.loss_form", "zssr.alpha=0"),
        (["self.iterations=0", "self.batch_size=4"], "self.batch_size", "self.iterations=0"),
    ],
)
def test_a_setting_without_effect_is_refused(assignments, name, reason):
    with pytest.raises(UdeansrError) as told:
        parse_settings(name.partition(".")[0], assignments)
    assert str(told.value) == f"{name} has no effect beside {reason}; leave one of them out"


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(UdeansrError, match=f"there is no method 'cyclegan'; expected {', '.join(METHODS)}"):
        parse_settings("cyclegan", [])
    with pytest.raises(UdeansrError, match="there is no method 'cyclegan'"):
        load_settings("cyclegan", {})


def test_another_methods_settings_are_the_callers_mistake(configuration):
    with pytest.raises(ValueError, match="sinc takes NoSettings, not UdeanSettings"):
        build_method("sinc", configuration(), parse_settings("udean", []))


def test_frozen_lets_gradients_pass_and_leaves_nothing_behind():
    free, held = nn.Linear(2, 2), nn.Linear(2, 2)
    held.bias.requires_grad_(False)
    with frozen(held):
        loss = held(free(torch.ones(1, 2))).sum()
        loss.backward()
    assert free.weight.grad is not None
    assert held.weight.grad is None
    assert held.weight.requires_grad
    assert not held.bias.requires_grad  # what was fixed before stays so


@pytest.mark.parametrize("name", OF_COHORTS)
def test_a_variety_of_lr_is_learnt_from_or_refused(name, configuration, learn):
    various = configuration(source_degradation="randomized")
    if METHODS[name].players and not METHODS[name].supports_domain_randomization:
        with pytest.raises(UdeansrError, match=f"{name} does not learn from a variety of LR.*expected --method superv"):
            built(name, various)
        return
    method = built(name, various)
    if not method.players:
        assert np.array_equal(method.network_input(np.ones((4, 5, 6), np.float32)), np.ones((1, 4, 5, 6)))
        return
    slices, (y, x), scale = various.task.slab_slices, various.size.patch_size, various.task.factors
    hr = torch.rand(2, slices * scale.z, y * scale.y, x * scale.x)
    data = Batch(hr=hr, lr=torch.rand(2, slices, y, x), degraded=torch.rand(2, 2 * slices, y, x))
    before = method.super_resolve(data.degraded).detach()
    torch.testing.assert_close(before, stretch(data.degraded[:, :slices], hr.shape[1], (scale.y, scale.x)))
    after = learn(method, data, lr=1e-2).super_resolve(data.degraded)
    other = data.degraded.clone()
    other[:, slices:] += 1
    assert not torch.allclose(after, before, atol=1e-4)
    assert not torch.allclose(method.super_resolve(other), after, atol=1e-4), "the LR as it is has no say"


def test_what_is_shown_is_restored_by_its_own_measure(configuration):
    rng = np.random.default_rng(0)
    hr = rng.uniform(0.5, 1, (8, 48, 48)).astype(np.float32)
    method = built("supervised", configuration("x2x2x1", source_degradation="randomized"))
    spectrum = foreground_spectrum(hr, method.scale)
    lr = np.abs(truncate_kspace(hr, method.scale))
    method.domain = find_domain([spectrum], [foreground_spectrum(lr)], (2.0, 2.0, 2.0), None)
    shown = method.network_input(lr)
    assert shown.shape == (2, *lr.shape)
    assert np.array_equal(shown[1], lr)
    assert np.corrcoef(shown[0].ravel(), lr.ravel())[0, 1] > 0.9
