from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from udeansr.batches.batch import Batch
from udeansr.methods.udean import PaperSettings, UdeanPaper
from udeansr.planning.memory_model import (
    WEIGHT_BYTES,
    kept_bytes,
    training_memory,
    weights,
)
from udeansr.planning.plan import Configuration

TINY = Configuration(
    "x2x2x2", "x2x2x2", (2.0, 2.0, 2.0), (1.0, 1.0, 1.0), slab_slices=3, patch_size=(32, 32), turns=True,
    batch_size=2, features=16, groups=2, blocks=2, discriminator_features=16, epochs=1, iterations_per_epoch=1,
)  # fmt: skip


def kept_by_torch(configuration: Configuration) -> int:
    """Bytes of batch-sized maps that torch keeps for the way back, the larger of the two turns."""
    scale, (rows, columns) = configuration.factors, configuration.patch_size
    count, slices = configuration.batch_size, configuration.slab_slices
    hr = torch.rand(count, slices * scale.z, rows * scale.y, columns * scale.x)
    batch = Batch(hr=hr, lr=torch.rand(count, slices, rows, columns))
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        # Weights and their copies for autocast are counted as weights.
        if tensor.dim() == 4 and tensor.shape[0] == count and tensor.shape[2] > 3:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    sizes = []
    method = UdeanPaper(configuration, PaperSettings())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t), torch.autocast("cpu", torch.bfloat16):
        for _ in method.turns(batch):
            sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in kept.values()))
            kept.clear()
    return max(sizes)


@pytest.mark.parametrize(
    "changes",
    [{}, {"scale": "x2x2x1", "groups": 3}, {"scale": "x1x1x4", "features": 32}, {"scale": "x4x4x1", "blocks": 1},
     {"patch_size": (32, 64), "discriminator_features": 32}],
)  # fmt: skip
def test_the_count_is_what_torch_keeps(changes):
    configuration = replace(TINY, **changes)
    assert kept_bytes(configuration) == pytest.approx(kept_by_torch(configuration), rel=0.06)


def test_weights_are_counted():
    for configuration in (TINY, replace(TINY, features=64, groups=5, blocks=5, discriminator_features=64)):
        real = sum(p.numel() for p in UdeanPaper(configuration, PaperSettings()).parameters())
        assert weights(configuration) == pytest.approx(real, rel=0.06)


@given(
    st.sampled_from(
        ["patch_size", "batch_size", "features", "groups", "blocks", "discriminator_features", "slab_slices"]
    ),
    st.integers(1, 4),
)
def test_every_size_costs_memory(key, factor):
    larger = (32, 32 * (factor + 1)) if key == "patch_size" else getattr(TINY, key) * (factor + 1)
    assert training_memory(replace(TINY, **{key: larger})).total_gb > training_memory(TINY).total_gb


def test_the_total_holds_maps_weights_and_what_surrounds_them():
    memory = training_memory(TINY)
    assert memory.kept_gb == pytest.approx(kept_bytes(TINY) / 2**30)
    assert memory.weights_gb == pytest.approx(WEIGHT_BYTES * weights(TINY) / 2**30)
    assert memory.total_gb > memory.kept_gb + memory.weights_gb
