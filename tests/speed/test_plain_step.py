from __future__ import annotations

import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.methods import build_method, method_type, parse_settings
from udeansr.speed.plain_step import PlainTrainer
from udeansr.training.settings import RunSettings
from udeansr.training.train import build_trainer

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["supervised", "udean"])
def test_it_learns_what_the_trainers_own_step_learns(plan, name) -> None:
    configuration, learnt = plan.configuration("x2x2x1"), []
    run = RunSettings(clip=1.0, learning_rate=1e-5).resolved(configuration, method_type(name))
    torch.manual_seed(0)
    batches = [
        Batch(hr=torch.rand(2, 3, 16, 16), lr=torch.rand(2, 3, 8, 8), degraded=torch.rand(2, 3, 8, 8)) for _ in range(2)
    ]
    for step in (build_trainer, PlainTrainer):
        torch.manual_seed(1)
        method = build_method(name, configuration, parse_settings(name, []))
        method.progress = 0.9
        first = [weight.detach().clone() for weight in method.parameters()]
        trainer = step(method, run, CPU, "fp32")
        losses = [{k: float(v) for k, v in trainer.play(batch, i).items()} for i, batch in enumerate(batches)]
        learnt.append((losses, [weight.detach().clone() for weight in method.parameters()]))
    (own_losses, own), (plain_losses, plain) = learnt
    assert plain_losses[0] == pytest.approx(own_losses[0], rel=1e-3)
    assert plain_losses[1] == pytest.approx(own_losses[1], rel=1e-2)  # Adam's first steps go by signs, of noise too
    moved, apart = (
        torch.cat([(one - other).abs().flatten() for one, other in zip(own, there, strict=True)]).mean()
        for there in (first, plain)
    )
    assert apart < 0.05 * moved


def test_it_is_plain(plan, kernels) -> None:
    configuration = plan.configuration("x2x2x1")
    run = RunSettings().resolved(configuration, method_type("supervised"))
    batch = Batch(hr=torch.rand(2, 3, 16, 16), lr=torch.rand(2, 3, 8, 8), degraded=torch.rand(2, 3, 8, 8))
    counts = []
    for step in (build_trainer, PlainTrainer):
        method = build_method("supervised", configuration, parse_settings("supervised", []))
        trainer = step(method, run, CPU, "bf16")
        trainer.play(batch, 0)
        with kernels() as counted:
            trainer.play(batch, 1)
        counts.append(len(counted.names))
    assert counts[1] > 1.5 * counts[0]
    assert all(weight.is_contiguous() for weight in method.parameters())
