from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from udeansr.batches.batch import Batch
from udeansr.training.trainer import Trainer

CPU = {"device": torch.device("cpu"), "precision": "fp32"}


@pytest.fixture
def method(tiny, configuration):
    torch.manual_seed(0)
    return tiny(configuration, tiny.settings_type())


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(torch.rand(2, 6, 16, 16, generator=generator), torch.rand(2, 3, 8, 8, generator=generator))


def copied(method) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in method.named_parameters()}


def changed(before: dict[str, Tensor], method) -> set[str]:
    after = copied(method)
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_each_turn_steps_its_player_alone_before_the_method_goes_on(method, batch, monkeypatch) -> None:
    seen, turns = [], method.turns

    def watched(given: Batch) -> Iterator:
        before = copied(method)
        for turn in turns(given):
            assert not changed(before, method)
            yield turn
            seen.append((turn[0], changed(before, method)))
            before = copied(method)

    monkeypatch.setattr(method, "turns", watched)
    Trainer(method, lr=1e-3, **CPU).play(batch, 0)
    assert seen == [("generators", {"generators"}), ("judges", {"judges"})]


def test_gradients_that_reach_another_player_are_dropped(method, batch, monkeypatch) -> None:
    """A method that forgets to freeze leaves nothing behind in the other player's next step."""

    def careless(given: Batch) -> Iterator:
        yield "generators", {"fool": method.judges(method.super_resolve(given.lr)).square().mean() * 1e6}
        yield "judges", {"still": sum(weight.sum() for weight in method.judges.parameters()) * 0.0}

    monkeypatch.setattr(method, "turns", careless)
    before = copied(method)
    Trainer(method, lr=1e-3, **CPU).play(batch, 0)
    assert changed(before, method) == {"generators"}


def test_losses_are_named_after_who_pays_them(method, batch) -> None:
    losses = Trainer(method, lr=1e-3, **CPU).play(batch, 0)
    assert set(losses) == {"generators.l1", "generators.fool", "judges.tell"}
    assert all(isinstance(loss, float) for loss in losses.values())


def test_the_method_is_autocast_and_backward_is_not(method, batch, monkeypatch) -> None:
    states, backward, turns = [], Tensor.backward, method.turns

    def watched(given: Batch) -> Iterator:
        for turn in turns(given):
            states.append(("turn", torch.is_autocast_enabled("cpu")))
            yield turn

    def watched_backward(loss: Tensor) -> None:
        states.append(("backward", torch.is_autocast_enabled("cpu")))
        assert loss.dtype == torch.float32
        backward(loss)

    monkeypatch.setattr(method, "turns", watched)
    monkeypatch.setattr(Tensor, "backward", watched_backward)
    Trainer(method, lr=1e-3, device=torch.device("cpu"), precision="bf16").play(batch, 0)
    assert states == [("turn", True), ("backward", False)] * 2


def test_it_learns(method, batch) -> None:
    trainer = Trainer(method, lr=1e-2, **CPU)
    losses = [trainer.play(batch, iteration)["generators.l1"] for iteration in range(60)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_clipped_gradient_has_at_most_that_norm(method, batch, monkeypatch) -> None:
    norms, step = [], torch.optim.Adam.step

    def watched(optimizer, *arguments):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        norms.append(float(torch.cat([weight.grad.flatten() for weight in weights]).norm()))
        return step(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    Trainer(copy.deepcopy(method), lr=1e-3, **CPU).play(batch, 0)
    Trainer(method, lr=1e-3, clip=1e-3, **CPU).play(batch, 0)
    assert min(norms[:2]) > 2e-3
    assert max(norms[2:]) <= 1.001e-3


def test_the_learning_rate_is_that_of_all_players(method, batch) -> None:
    trainer = Trainer(method, lr=1.0, **CPU)
    trainer.set_lr(1e-12)
    before = copied(method)
    trainer.play(batch, 0)
    for name, weight in copied(method).items():
        torch.testing.assert_close(weight, before[name], rtol=0, atol=1e-9)


def test_saved_and_loaded_it_goes_on_bit_for_bit(method, batch, tmp_path) -> None:
    trainer = Trainer(method, lr=1e-3, **CPU)
    trainer.play(batch, 0)
    torch.save(trainer.state_dict(), tmp_path / "state.pt")
    other = Trainer(copy.deepcopy(method), lr=5.0, **CPU)
    torch.nn.init.zeros_(other.method.judges[0].weight)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    losses = []
    for one in (trainer, other):
        torch.manual_seed(5)
        losses.append(one.play(batch, 1))
    assert losses[0] == losses[1]
    assert all(torch.equal(a, b) for a, b in zip(method.parameters(), other.method.parameters(), strict=True))


def test_a_weight_that_is_no_number_is_seen(method) -> None:
    trainer = Trainer(method, lr=1e-3, **CPU)
    assert trainer.is_finite()
    with torch.no_grad():
        method.judges[0].weight[0, 0, 0, 0] = float("nan")
    assert not trainer.is_finite()


def test_networks_are_compiled_where_they_have_a_forward(method, monkeypatch) -> None:
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
    Trainer(method, lr=1e-3, compile=True, **CPU)
    assert compiled == [method.generators["up"], method.generators["down"], method.judges]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_it_learns_on_cuda(method, batch, precision) -> None:
    trainer = Trainer(method, lr=1e-2, device=torch.device("cuda"), precision=precision)
    losses = [trainer.play(batch, iteration)["generators.l1"] for iteration in range(60)]
    assert losses[-1] < 0.7 * losses[0]
    other = Trainer(copy.deepcopy(method), lr=1e-2, device=torch.device("cuda"), precision=precision)
    other.load_state_dict(trainer.state_dict())
