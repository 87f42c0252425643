"""What an iteration of every method costs the host: how much it launches, and that it waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.methods import METHODS, build_method, parse_settings
from udeansr.methods.method import Method
from udeansr.planning.configuration import Configuration
from udeansr.planning.training_size import PAPER
from udeansr.training.timing import random_batch
from udeansr.training.trainer import Trainer

LEARNING = [name for name, kind in METHODS.items() if kind.players]
CPU = torch.device("cpu")


@pytest.fixture
def small(tiny_configuration) -> Callable[..., tuple[Method, Batch]]:
    """Makes a method and a batch for it."""

    def make(name: str, **size: int) -> tuple[Method, Batch]:
        configuration: Configuration = tiny_configuration("x1x1x2" if name == "self" else "x2x2x2", **size)
        batch = random_batch(configuration)
        if name == "self":
            batch = Batch(hr=torch.rand(2, 1, 16, 8), lr=torch.rand(2, 1, 8, 8))
        torch.manual_seed(0)
        return build_method(name, configuration, parse_settings(name, [])), batch

    return make


def stages(method: Method) -> Iterator[float]:
    """A part of the training in each stage, and one in which all play."""
    yield from {*method.stage_starts, getattr(method.settings, "warm_start", 0.0), 0.9}


@pytest.mark.parametrize(
    ("name", "progress", "most"), [("udean", 0.0, 1500), ("udean", 0.9, 2700), ("udean_paper", 0.0, 2600)]
)
def test_it_launches_little_with_the_networks_of_the_paper(name, progress, most, small, kernels, monkeypatch) -> None:
    """Optimisers left out; the networks are narrow, since what is launched depends on the depth alone."""
    method, batch = small(name, groups=PAPER.groups, blocks=PAPER.blocks, patch_size=(32, 32))
    trainer = Trainer(method, learning_rate=1e-3, device=CPU, precision="bf16")
    monkeypatch.setattr(torch.optim.Adam, "step", lambda optimizer, *arguments: None)
    method.progress = progress
    with kernels() as counted:
        trainer.play(batch, 0)
    assert len(counted.names) <= most
    assert counted.names.count("aten::_foreach_lerp_") == 1


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("name", LEARNING)
def test_it_reads_nothing_from_the_device(name, precision, small, kernels) -> None:
    """A reading waits for all that was launched before; with a scaler and a clipped gradient as well."""
    method, batch = small(name)
    trainer = Trainer(method, learning_rate=1e-3, device=CPU, precision=precision, clip=1.0)
    for progress in stages(method):
        method.progress = progress
        trainer.play(batch, 0)
        with kernels() as counted:
            trainer.play(batch, 1)
        assert len(counted.names) > 50
        assert not [name for name in counted.names if "_local_scalar_dense" in name]
        assert sum("adam" in name for name in counted.names) <= len(method.players)


@pytest.mark.parametrize("name", LEARNING)
def test_it_needs_no_numbers(name, small) -> None:
    """On the device meta tensors have shapes alone: who reads one fails, and memory can be planned there."""
    method, batch = small(name)
    trainer = Trainer(method.to("meta"), learning_rate=1e-3, device=torch.device("meta"), precision="fp32", clip=1.0)
    for progress in stages(method):
        method.progress = progress
        losses = trainer.play(batch, 0)
        assert losses and all(loss.is_meta and loss.shape == () for loss in losses.values())


@pytest.mark.parametrize("name", ["udean", "udean_paper", "pseudosr", "blindsr", "dasr"])
def test_passes_are_shared_without_a_change_of_what_is_learned(name, small, monkeypatch) -> None:
    """The plain step sends each batch through a network alone."""
    played = {}
    for shared in (True, False):
        method, batch = small(name, blocks=2)
        batch = replace(batch, hr=batch.hr.clone())
        if not shared:
            for module in ("udean", "pseudosr", "blindsr", "dasr"):
                monkeypatch.setattr(
                    f"udeansr.methods.{module}.together", lambda network, *slabs: tuple(map(network, slabs))
                )
        played[shared] = gradients(method, batch)
    assert played[True].keys() == played[False].keys()
    for (player, part), gradient in played[True].items():
        scale = max(float(g.abs().max()) for (other, _), g in played[False].items() if other == player)
        torch.testing.assert_close(gradient, played[False][player, part], rtol=1e-3, atol=1e-4 * scale)


def gradients(method: Method, batch: Batch) -> dict[tuple[str, str], torch.Tensor]:
    """The gradient of each player's weights in each stage, by stage and player, and by weight."""
    generator, found = torch.Generator().manual_seed(5), {}
    with torch.no_grad():
        for weight in method.parameters():  # zeros at the beginning would hide a lost gradient
            weight += 0.05 * torch.rand(weight.shape, generator=generator)
    batch = Batch(*(torch.rand(part.shape, generator=generator) for part in (batch.hr, batch.lr, batch.degraded)))
    for progress in sorted(stages(method)):
        method.progress = progress
        for player, losses in method.turns(batch):
            method.zero_grad(set_to_none=True)
            torch.stack(list(losses.values())).sum().backward()
            for part, weight in method.get_submodule(player).named_parameters():
                assert weight.grad is not None
                found[f"{progress} {player}", part] = weight.grad.clone()
    return found
