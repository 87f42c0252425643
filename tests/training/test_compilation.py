from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from udeansr.batches.batch import Batch
from udeansr.inference.whole_volume import super_resolve_volume
from udeansr.methods import METHODS, build_method, parse_settings
from udeansr.training.compilation import VARIANTS, compile_networks, uncompiled
from udeansr.training.timing import random_batch
from udeansr.training.trainer import Trainer

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's own, of its tracing
LEARNING = [name for name, kind in METHODS.items() if kind.players]


@pytest.fixture
def eager(monkeypatch):
    """Graphs are made as for a GPU, and run by torch; a variant that is refused is an error."""
    dynamo = pytest.importorskip("torch._dynamo")
    made = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda module: made(module, backend="eager"))
    dynamo.reset()
    dynamo.utils.counters.clear()
    with dynamo.config.patch(fail_on_recompile_limit_hit=True, recompile_limit=8):
        yield dynamo
    dynamo.reset()


def test_the_limit_grows_with_the_networks_and_never_shrinks(eager) -> None:
    compile_networks(nn.ModuleDict({str(number): nn.Linear(1, 1) for number in range(3)}))
    assert eager.config.recompile_limit == 3 * VARIANTS
    compile_networks(nn.ModuleList([nn.Linear(1, 1)]))
    assert eager.config.recompile_limit == 3 * VARIANTS


class Network(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def test_what_runs_uncompiled_is_not_compiled(eager) -> None:
    network = Network()
    compile_networks(nn.ModuleList([network]))
    with uncompiled():
        network(torch.ones(1, 2))
    assert not torch._dynamo.utils.counters["stats"]["unique_graphs"]
    network(torch.ones(1, 2))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNING)
def test_no_variant_is_refused_in_any_stage_nor_in_validation(name, eager, tiny_configuration) -> None:
    configuration = tiny_configuration("x1x1x2" if name == "self" else "x2x2x2")
    method, batch = build_method(name, configuration, parse_settings(name, [])), random_batch(configuration)
    if name == "self":
        batch = Batch(hr=torch.rand(2, 1, 16, 8), lr=torch.rand(2, 1, 8, 8))
    trainer = Trainer(method, learning_rate=1e-3, device=torch.device("cpu"), precision="fp32", compile=True)
    for progress in sorted({*method.stage_starts, getattr(method.settings, "warm_start", 0.0), 0.9}):
        method.progress = progress
        for iteration in range(2):
            trainer.play(batch, iteration)
        graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        assert graphs
        with trainer.averaged() as averaged:
            for shape in ((6, 16, 24), (7, 20, 25)):
                lr = np.random.default_rng(0).random(shape, dtype=np.float32)
                super_resolve_volume(averaged, lr, device="cpu", precision="fp32")
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs
