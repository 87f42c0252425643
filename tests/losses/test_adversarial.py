import pytest
import torch

from udeansr.losses.adversarial import confusion_loss, discriminator_loss, generator_loss

SCORES = torch.tensor([[0.25], [1.5]])


@pytest.mark.parametrize(("form", "expected"), [("paper", (0.75 + 0.5) / 2), ("code", (0.5625 + 0.25) / 2)])
def test_fool(form, expected):
    assert generator_loss(SCORES, form).item() == pytest.approx(expected)


@pytest.mark.parametrize(("form", "expected"), [("paper", (0.25 + 1.0) / 2), ("code", (0.0625 + 1.0) / 2)])
def test_confuse(form, expected):
    assert confusion_loss(SCORES, form).item() == pytest.approx(expected)


def test_tell_is_half_of_both_sides():
    assert discriminator_loss(SCORES, torch.tensor([[0.5]])).item() == pytest.approx(((0.5625 + 0.25) / 2 + 0.25) / 2)
    assert discriminator_loss(torch.ones(3, 1), torch.zeros(5, 1)).item() == 0


@pytest.mark.parametrize("form", ["paper", "code"])
def test_a_step_down_makes_scores_more_real(form):
    scores = torch.tensor([[0.2], [0.4]], requires_grad=True)
    generator_loss(scores, form).backward()
    assert scores.grad is not None
    assert (scores.grad < 0).all()


@pytest.mark.parametrize("loss", [generator_loss, confusion_loss])
def test_computed_in_float32(loss):
    half = SCORES.bfloat16()
    assert loss(half).dtype == torch.float32
    assert discriminator_loss(half, half).dtype == torch.float32
