from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.methods.udean import PaperSettings, UdeanPaper
from udeansr.planning.plan import SMALLEST_PATCH, Configuration
from udeansr.planning.training_size import (
    PAPER,
    SACRIFICES,
    WEIGHT_BYTES,
    kept_bytes,
    size_for_cpu,
    size_for_memory,
    training_memory,
    weights,
)

TINY = Configuration.of(
    "x2x2x2", scale="x2x2x2", lr_spacing_mm=(2.0, 2.0, 2.0), hr_spacing_mm=(1.0, 1.0, 1.0),
    slab_slices=3, patch_size=(32, 32), rotate90=True,
    batch_size=2, features=16, groups=2, blocks=2, discriminator_features=16, epochs=1, iterations_per_epoch=1,
)  # fmt: skip


def kept_by_torch(configuration: Configuration) -> int:
    """Bytes of batch-sized maps that torch keeps for the way back, the larger of the two turns."""
    scale, (rows, columns) = configuration.task.factors, configuration.size.patch_size
    count, slices = configuration.size.batch_size, configuration.task.slab_slices
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
    configuration = TINY.changed(**changes)
    assert kept_bytes(configuration) == pytest.approx(kept_by_torch(configuration), rel=0.06)


def test_weights_are_counted():
    for configuration in (TINY, TINY.changed(features=64, groups=5, blocks=5, discriminator_features=64)):
        real = sum(p.numel() for p in UdeanPaper(configuration, PaperSettings()).parameters())
        assert weights(configuration) == pytest.approx(real, rel=0.06)


@given(
    st.sampled_from(
        ["patch_size", "batch_size", "features", "groups", "blocks", "discriminator_features", "slab_slices"]
    ),
    st.integers(1, 4),
)
def test_every_size_costs_memory(key, factor):
    larger = (32, 32 * (factor + 1)) if key == "patch_size" else TINY.values()[key] * (factor + 1)
    assert training_memory(TINY.changed(**{key: larger})).total_gb > training_memory(TINY).total_gb


def test_the_total_holds_maps_weights_and_what_surrounds_them():
    memory = training_memory(TINY)
    assert memory.kept_gb == pytest.approx(kept_bytes(TINY) / 2**30)
    assert memory.weights_gb == pytest.approx(WEIGHT_BYTES * weights(TINY) / 2**30)
    assert memory.total_gb > memory.kept_gb + memory.weights_gb


BASE = Configuration.of(
    "x2x2x2", scale="x2x2x2", lr_spacing_mm=(2.0, 2.0, 2.0), hr_spacing_mm=(1.0, 1.0, 1.0),
    slab_slices=3, patch_size=(1, 1), rotate90=True,
    batch_size=1, features=1, groups=1, blocks=1, discriminator_features=1, epochs=1, iterations_per_epoch=250,
)  # fmt: skip
LARGE = (64, 128, 128)

shapes = st.tuples(*(st.integers(least, 200) for least in SMALLEST_PATCH))
bases = st.builds(
    lambda rotate90, scale: BASE.changed(rotate90=rotate90, scale=scale),
    st.booleans(), st.sampled_from(["x2x2x1", "x2x2x2", "x1x1x4", "x4x4x4", "x8x8x8"]),
)  # fmt: skip


def rank(configuration: Configuration) -> tuple[int, ...]:
    return (
        configuration.size.batch_size, configuration.size.patch_size[0] * configuration.size.patch_size[1],
        configuration.size.groups * configuration.size.blocks, configuration.size.features,
        configuration.size.discriminator_features,
    )  # fmt: skip


def test_enough_memory_gives_the_papers_size_and_no_more():
    for memory in (16.0, 80.0, 1000.0):
        made = size_for_memory(BASE, LARGE, memory)
        assert (made.size.features, made.size.groups, made.size.blocks, made.size.batch_size, made.size.patch_size) == (
            64,
            5,
            5,
            8,
            (64, 64),
        )
        assert (made.size.discriminator_features, made.size.epochs, made.size.iterations_per_epoch) == (64, 200, 250)
        assert made.reasons["batch_size"].startswith("the paper's; training takes about")


def test_a_cpu_gets_what_it_can_train():
    made = size_for_cpu(BASE, LARGE)
    assert (made.size.features, made.size.groups, made.size.blocks, made.size.batch_size, made.size.patch_size) == (
        32,
        2,
        2,
        8,
        (32, 32),
    )
    assert made.size.epochs * made.size.iterations_per_epoch == 5000


def test_each_sacrifice_saves_memory_and_the_first_that_fits_is_taken():
    sizes = [PAPER]
    for _, values in SACRIFICES:
        sizes.append(replace(sizes[-1], **values))
    needed = []
    for size in sizes:
        made = BASE.changed(
            patch_size=(size.patch, size.patch), batch_size=size.batch, features=size.features,
            groups=size.groups, blocks=size.blocks, discriminator_features=size.discriminator_features,
        )  # fmt: skip
        needed.append(training_memory(made).total_gb)
        assert rank(size_for_memory(BASE, LARGE, needed[-1])) == rank(made)
    assert needed == sorted(needed, reverse=True)
    assert len(set(needed)) == len(needed)
    words = size_for_memory(BASE, LARGE, needed[2]).reasons["batch_size"]
    assert "the paper's is 8; given up are half the batch, a quarter of the batch" in words


@given(bases, shapes, st.floats(0.5, 100), st.floats(0.5, 100))
def test_more_memory_never_gives_less(base, smallest, one, other):
    less, more = sorted((one, other))
    try:
        small = size_for_memory(base, smallest, less)
    except UdeansrError:
        return
    large = size_for_memory(base, smallest, more)
    assert all(a <= b for a, b in zip(rank(small), rank(large), strict=True))


@given(bases, shapes, st.floats(0.5, 100) | st.none())
def test_a_patch_fits_every_image_and_the_memory(base, smallest, memory):
    try:
        made = size_for_cpu(base, smallest) if memory is None else size_for_memory(base, smallest, memory)
    except UdeansrError:
        assert memory is not None
        return
    assert all(16 <= side <= n for side, n in zip(made.size.patch_size, smallest[1:], strict=True))
    assert made.size.batch_size >= 2
    assert memory is None or training_memory(made).total_gb <= memory
    assert not base.task.rotate90 or made.size.patch_size[0] == made.size.patch_size[1]
    if memory is None:
        assert ("; cut, as" in made.reasons["patch_size"]) == (made.size.patch_size != (32, 32))


def test_too_little_memory_says_how_much_it_takes():
    with pytest.raises(
        UdeansrError,
        match=r"--memory-gb 0.5: the smallest training of x2x2x2 takes \d\.\d GB; give more, or plan for a CPU with "
        "--memory-gb 0",
    ):
        size_for_memory(BASE, LARGE, 0.5)
