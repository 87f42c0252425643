from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from udeansr.batches.batch import Batch
from udeansr.training.trainer import LAST_LEARNING_RATE, Trainer, cosine_learning_rate, warm_up


def test_it_begins_at_lr_passes_the_middle_and_ends_at_the_last() -> None:
    assert cosine_learning_rate(0, 30, 1e-4) == pytest.approx(1e-4)
    assert cosine_learning_rate(15, 30, 1e-4) == pytest.approx((1e-4 + LAST_LEARNING_RATE) / 2)
    assert cosine_learning_rate(30, 30, 1e-4) == pytest.approx(1e-8)


@given(epochs=st.integers(1, 500), lr=st.floats(1e-7, 1.0))
def test_it_falls_with_every_epoch(epochs: int, lr: float) -> None:
    rates = [cosine_learning_rate(epoch, epochs, lr) for epoch in range(epochs + 1)]
    assert all(later < earlier for earlier, later in pairwise(rates))


def test_it_rises_in_the_first_hundred_iterations_and_less_in_a_short_training() -> None:
    long = [warm_up(iteration, 5000) for iteration in range(5000)]
    assert long[0] == pytest.approx(1 / 101) and long[49] == pytest.approx(50 / 101)
    assert long[99] < 1.0 and set(long[100:]) == {1.0}
    assert [warm_up(iteration, 12) for iteration in range(4)] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0, 1.0]
    assert warm_up(0, 5) == 1.0


def test_each_stage_begins_anew_and_comes_to_its_end() -> None:
    starts = (0.0, 0.3)
    rates = [cosine_learning_rate(epoch, 10, 1e-4, stage_starts=starts) for epoch in range(11)]
    assert rates[0] == rates[3] == pytest.approx(1e-4)
    assert rates[2] < rates[1] < rates[0]
    assert rates[10] == pytest.approx(LAST_LEARNING_RATE)
    assert rates[3:] == [pytest.approx(cosine_learning_rate(epoch, 7, 1e-4)) for epoch in range(8)]


@pytest.mark.parametrize("starts", [(0.0, 0.0), (0.0, 1.0)])
def test_a_stage_may_be_empty(starts: tuple[float, ...]) -> None:
    rates = [cosine_learning_rate(epoch, 4, 1e-4, stage_starts=starts) for epoch in range(4)]
    assert rates == [pytest.approx(cosine_learning_rate(epoch, 4, 1e-4)) for epoch in range(4)]


CPU = {"device": torch.device("cpu"), "precision": "fp32"}


@pytest.fixture
def small_method(tiny, configuration):
    torch.manual_seed(0)
    return tiny(configuration, tiny.settings_type())


def copied(small_method) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in small_method.named_parameters()}


def changed(before: dict[str, Tensor], small_method) -> set[str]:
    after = copied(small_method)
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_each_turn_steps_its_player_alone_before_the_method_goes_on(small_method, batch, monkeypatch) -> None:
    seen, turns = [], small_method.turns

    def watched(given: Batch) -> Iterator:
        before = copied(small_method)
        for turn in turns(given):
            assert not changed(before, small_method)
            yield turn
            seen.append((turn[0], changed(before, small_method)))
            before = copied(small_method)

    monkeypatch.setattr(small_method, "turns", watched)
    Trainer(small_method, learning_rate=1e-3, **CPU).play(batch, 0)
    assert seen == [("generators", {"generators"}), ("discriminators", {"discriminators"})]


def test_gradients_that_reach_another_player_are_dropped(small_method, batch, monkeypatch) -> None:
    """A method that forgets to freeze leaves nothing behind in the other player's next step."""

    def careless(given: Batch) -> Iterator:
        yield (
            "generators",
            {"adversarial": small_method.discriminators(small_method.super_resolve(given.lr)).square().mean() * 1e6},
        )
        yield (
            "discriminators",
            {"still": sum(weight.sum() for weight in small_method.discriminators.parameters()) * 0.0},
        )

    monkeypatch.setattr(small_method, "turns", careless)
    before = copied(small_method)
    Trainer(small_method, learning_rate=1e-3, **CPU).play(batch, 0)
    assert changed(before, small_method) == {"generators"}


def test_losses_are_named_after_who_pays_them(small_method, batch) -> None:
    losses = Trainer(small_method, learning_rate=1e-3, **CPU).play(batch, 0)
    assert set(losses) == {"generators.l1", "generators.adversarial", "discriminators.loss"}
    assert all(loss.shape == () and loss.dtype == torch.float32 and not loss.requires_grad for loss in losses.values())


def test_the_method_is_autocast_and_backward_is_not(small_method, batch, monkeypatch) -> None:
    states, backward, turns = [], Tensor.backward, small_method.turns

    def watched(given: Batch) -> Iterator:
        for turn in turns(given):
            states.append(("turn", torch.is_autocast_enabled("cpu")))
            yield turn

    def watched_backward(loss: Tensor) -> None:
        states.append(("backward", torch.is_autocast_enabled("cpu")))
        assert loss.dtype == torch.float32
        backward(loss)

    monkeypatch.setattr(small_method, "turns", watched)
    monkeypatch.setattr(Tensor, "backward", watched_backward)
    Trainer(small_method, learning_rate=1e-3, device=torch.device("cpu"), precision="bf16").play(batch, 0)
    assert states == [("turn", True), ("backward", False)] * 2


def test_it_learns(small_method, batch) -> None:
    trainer = Trainer(small_method, learning_rate=1e-2, **CPU)
    losses = [trainer.play(batch, iteration)["generators.l1"] for iteration in range(60)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_clipped_gradient_has_at_most_that_norm(small_method, batch, monkeypatch) -> None:
    norms, step = [], torch.optim.Adam.step

    def watched(optimizer, *arguments):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        norms.append(float(torch.cat([weight.grad.flatten() for weight in weights]).norm()))
        return step(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    Trainer(copy.deepcopy(small_method), learning_rate=1e-3, **CPU).play(batch, 0)
    Trainer(small_method, learning_rate=1e-3, clip=1e-3, **CPU).play(batch, 0)
    assert min(norms[:2]) > 2e-3
    assert max(norms[2:]) <= 1.001e-3


def test_the_learning_rate_is_that_of_all_players(small_method, batch) -> None:
    trainer = Trainer(small_method, learning_rate=1.0, **CPU)
    trainer.set_learning_rate(1e-12)
    before = copied(small_method)
    trainer.play(batch, 0)
    for name, weight in copied(small_method).items():
        torch.testing.assert_close(weight, before[name], rtol=0, atol=1e-9)


def test_saved_and_loaded_it_goes_on_bit_for_bit(small_method, batch, tmp_path) -> None:
    trainer = Trainer(small_method, learning_rate=1e-3, **CPU)
    trainer.play(batch, 0)
    torch.save(trainer.state_dict(), tmp_path / "state.pt")
    other = Trainer(copy.deepcopy(small_method), learning_rate=5.0, **CPU)
    torch.nn.init.zeros_(other.method.discriminators[0].weight)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    losses = []
    for one in (trainer, other):
        torch.manual_seed(5)
        losses.append(one.play(batch, 1))
    assert losses[0] == losses[1]
    assert all(torch.equal(a, b) for a, b in zip(small_method.parameters(), other.method.parameters(), strict=True))


def test_a_weight_that_is_no_number_is_seen(small_method) -> None:
    trainer = Trainer(small_method, learning_rate=1e-3, **CPU)
    assert trainer.is_finite()
    with torch.no_grad():
        small_method.discriminators[0].weight[0, 0, 0, 0] = float("nan")
    assert not trainer.is_finite()


def test_networks_are_compiled_where_they_have_a_forward(small_method, monkeypatch) -> None:
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
    Trainer(small_method, learning_rate=1e-3, compile=True, **CPU)
    assert compiled == [
        small_method.generators["up"],
        small_method.generators["down"],
        small_method.discriminators,
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_it_learns_on_cuda(small_method, batch, precision) -> None:
    trainer = Trainer(small_method, learning_rate=1e-2, device=torch.device("cuda"), precision=precision)
    losses = [trainer.play(batch, iteration)["generators.l1"] for iteration in range(60)]
    assert losses[-1] < 0.7 * losses[0]
    other = Trainer(copy.deepcopy(small_method), learning_rate=1e-2, device=torch.device("cuda"), precision=precision)
    other.load_state_dict(trainer.state_dict())
