import weakref
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.methods.udean import PaperSettings, UdeanPaper
from udeansr.planning.configuration import SMALLEST_PATCH, Configuration, Task, TrainingSize
from udeansr.planning.training_size import (
    PAPER,
    SACRIFICES,
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
    """Bytes of batch-sized maps that torch keeps for the way back, the larger of what it keeps at the two turns."""
    scale, (rows, columns) = configuration.task.factors, configuration.size.patch_size
    count, slices = configuration.size.batch_size, configuration.task.slab_slices
    hr = torch.rand(count, slices * scale.z, rows * scale.y, columns * scale.x)
    batch = Batch(hr=hr, lr=torch.rand(count, slices, rows, columns))
    kept: dict[int, weakref.ref[torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        # Weights and their copies for autocast are counted as weights.
        if tensor.dim() == 4 and tensor.shape[0] in (count, 2 * count, 3 * count) and tensor.shape[2] > 3:
            kept[tensor.untyped_storage().data_ptr()] = weakref.ref(tensor)
        return tensor

    sizes = []
    method = UdeanPaper(configuration, PaperSettings())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t), torch.autocast("cpu", torch.bfloat16):
        for _, losses in method.turns(batch):
            alive = (tensor for reference in kept.values() if (tensor := reference()) is not None)
            sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in alive))
            torch.stack(list(losses.values())).sum().backward()  # as the trainer does; frees what this turn alone kept
    return max(sizes)


@pytest.mark.parametrize(
    "changes",
    [{}, {"scale": "x2x2x1", "groups": 3}, {"scale": "x1x1x4", "features": 32}, {"scale": "x4x4x1", "blocks": 1},
     {"patch_size": (16, 48), "discriminator_features": 32}],
)  # fmt: skip
def test_the_count_is_what_torch_keeps(changes):
    configuration = TINY.changed(**changes)
    assert kept_bytes(configuration.task, configuration.size) == pytest.approx(kept_by_torch(configuration), rel=0.06)


def test_weights_are_counted():
    for configuration in (TINY, TINY.changed(features=64, groups=5, blocks=5, discriminator_features=64)):
        real = sum(p.numel() for p in UdeanPaper(configuration, PaperSettings()).parameters())
        assert weights(configuration.task, configuration.size) == pytest.approx(real, rel=0.06)


@given(
    st.sampled_from(
        ["patch_size", "batch_size", "features", "groups", "blocks", "discriminator_features", "slab_slices"]
    ),
    st.integers(1, 4),
)
def test_every_size_costs_memory(key, factor):
    larger = (32, 32 * (factor + 1)) if key == "patch_size" else TINY.values()[key] * (factor + 1)
    made = TINY.changed(**{key: larger})
    changed = made.task, made.size
    assert training_memory(*changed).total_gb > training_memory(TINY.task, TINY.size).total_gb


TASK = Task("x2x2x2", (2.0, 2.0, 2.0), (1.0, 1.0, 1.0), slab_slices=3, rotate90=True)
LARGE = (64, 128, 128)

shapes = st.tuples(*(st.integers(least, 200) for least in SMALLEST_PATCH))
tasks = st.builds(
    lambda rotate90, scale: replace(TASK, rotate90=rotate90, scale=scale),
    st.booleans(), st.sampled_from(["x2x2x1", "x2x2x2", "x1x1x4", "x4x4x4", "x8x8x8"]),
)  # fmt: skip


def rank(size: TrainingSize) -> tuple[int, ...]:
    rows, columns = size.patch_size
    return size.batch_size, rows * columns, size.groups * size.blocks, size.features, size.discriminator_features


@pytest.mark.parametrize("memory_gb", [16.0, 80.0, 1000.0])
def test_enough_memory_gives_the_papers_size_and_no_more(memory_gb):
    size, reasons = size_for_memory(TASK, LARGE, memory_gb)
    assert (size.features, size.groups, size.blocks, size.batch_size, size.patch_size) == (64, 5, 5, 8, (64, 64))
    assert (size.discriminator_features, size.epochs, size.iterations_per_epoch) == (64, 200, 250)
    assert reasons["batch_size"].startswith("the paper's; training takes about")


def test_a_cpu_gets_what_it_can_train():
    size, reasons = size_for_cpu(TASK, LARGE)
    assert (size.features, size.groups, size.blocks, size.batch_size, size.patch_size) == (32, 2, 2, 8, (32, 32))
    assert size.epochs * size.iterations_per_epoch == 5000
    assert set(reasons) == set(vars(size))


def test_each_sacrifice_saves_memory_and_the_first_that_fits_is_taken():
    size, needed = PAPER, [training_memory(TASK, PAPER).total_gb]
    for _, values in SACRIFICES:
        size = replace(size, **values)
        needed.append(training_memory(TASK, size).total_gb)
        assert rank(size_for_memory(TASK, LARGE, needed[-1])[0]) == rank(size)
    assert needed == sorted(set(needed), reverse=True)
    words = size_for_memory(TASK, LARGE, needed[2])[1]["batch_size"]
    assert "the paper's is 8; given up are half the batch, a quarter of the batch" in words


@given(tasks, shapes, st.floats(0.5, 100), st.floats(0.5, 100))
def test_more_memory_never_gives_less(task, smallest, one, other):
    less, more = sorted((one, other))
    try:
        small, _ = size_for_memory(task, smallest, less)
    except UdeansrError:
        return
    large, _ = size_for_memory(task, smallest, more)
    assert all(a <= b for a, b in zip(rank(small), rank(large), strict=True))


@given(tasks, shapes, st.floats(0.5, 100) | st.none())
def test_a_patch_fits_every_image_and_the_memory(task, smallest, memory_gb):
    try:
        size, reasons = (
            size_for_cpu(task, smallest) if memory_gb is None else size_for_memory(task, smallest, memory_gb)
        )
    except UdeansrError:
        assert memory_gb is not None
        return
    assert all(16 <= side <= n for side, n in zip(size.patch_size, smallest[1:], strict=True))
    assert size.batch_size >= 2
    assert memory_gb is None or training_memory(task, size).total_gb <= memory_gb
    assert not task.rotate90 or size.patch_size[0] == size.patch_size[1]
    if memory_gb is None:
        assert ("; cut, as" in reasons["patch_size"]) == (size.patch_size != (32, 32))


def test_too_little_memory_says_how_much_it_takes():
    with pytest.raises(UdeansrError, match=r"--memory-gb 0.5: .* x2x2x2 takes \d\.\d GB; .*--memory-gb 0"):
        size_for_memory(TASK, LARGE, 0.5)
