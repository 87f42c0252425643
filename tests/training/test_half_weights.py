from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from udeansr.device import autocast
from udeansr.training.half_weights import HalfWeights
from udeansr.training.trainer import Trainer

CPU = torch.device("cpu")


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), spectral_norm(nn.Linear(64, 3)), nn.Linear(3, 1)
    )


def owners(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    return {"player": list(network.parameters())}


def test_layers_compute_with_copies_while_it_is_open_and_with_their_own_after(network) -> None:
    own = dict(network.named_parameters())
    halves = HalfWeights(network, owners(network), torch.bfloat16)
    with pytest.raises(RuntimeError), halves.in_place():
        held = dict(network.named_parameters())
        kinds = {name: weight.dtype for name, weight in held.items()}
        raise RuntimeError
    assert {name for name, kind in kinds.items() if kind == torch.bfloat16} == {
        *("0.weight", "0.bias", "5.weight", "5.bias"),  # neither normalisations nor what is derived
    }
    assert all(weight is own[name] for name, weight in network.named_parameters())
    with halves.in_place():
        torch.testing.assert_close(network[0].weight.float(), own["0.weight"], rtol=2**-8, atol=0)


def test_losses_are_those_of_autocast_bit_for_bit_and_gradients_to_rounding(network) -> None:
    plain, data = copy.deepcopy(network), torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    network[4].eval(), plain[4].eval()
    halves = HalfWeights(network, owners(network), torch.bfloat16)

    def loss(module: nn.Module) -> torch.Tensor:
        with autocast(CPU, "bf16"):
            return module(data).float().square().mean() + module(2 * data).float().square().mean()

    expected = loss(plain)
    expected.backward()
    with halves.in_place():
        found = loss(network)
        found.backward()
        halves.return_gradients("player")
    assert torch.equal(found, expected)
    for (name, one), other in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert one.dtype == one.grad.dtype == torch.float32, name
        torch.testing.assert_close(one.grad, other.grad, rtol=0.02, atol=2e-3 * float(other.grad.abs().max()) + 1e-6)


def test_a_weight_without_a_gradient_has_none(network) -> None:
    halves = HalfWeights(network, owners(network), torch.bfloat16)
    weight = network[0].weight
    weight.grad = torch.ones_like(weight)
    with halves.in_place():
        halves.return_gradients("player")
    assert weight.grad is None


def test_copies_follow_a_step_and_a_training_in_half_precision_is_saved_in_float32(tiny, configuration, batch) -> None:
    torch.manual_seed(0)
    method = tiny(configuration, tiny.settings_type())
    trainer = Trainer(method, learning_rate=1e-2, device=CPU, precision="bf16", ema_decay=0.0)
    losses = [float(trainer.play(batch, iteration)["generators.l1"]) for iteration in range(60)]
    assert losses[-1] < 0.7 * losses[0]
    state = trainer.state_dict()
    assert all(
        weight.dtype == torch.float32
        for weight in [*state["weights"].values(), *state["averaged"].values()]
        if weight.is_floating_point()
    )
    trainer.load_state_dict(copy.deepcopy(state))
