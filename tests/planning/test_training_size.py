from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udeansr.errors import UdeansrError
from udeansr.planning.memory_model import training_memory
from udeansr.planning.plan import SMALLEST_PATCH, Configuration
from udeansr.planning.training_size import PAPER, SACRIFICES, size_for_cpu, size_for_memory

BASE = Configuration(
    "x2x2x2", "x2x2x2", (2.0, 2.0, 2.0), (1.0, 1.0, 1.0), slab_slices=3, patch_size=(1, 1), turns=True,
    batch_size=1, features=1, groups=1, blocks=1, discriminator_features=1, epochs=1, iterations_per_epoch=250,
)  # fmt: skip
LARGE = (64, 128, 128)

shapes = st.tuples(*(st.integers(least, 200) for least in SMALLEST_PATCH))
bases = st.builds(
    lambda turns, scale: replace(BASE, turns=turns, scale=scale),
    st.booleans(), st.sampled_from(["x2x2x1", "x2x2x2", "x1x1x4", "x4x4x4", "x8x8x8"]),
)  # fmt: skip


def rank(configuration: Configuration) -> tuple[int, ...]:
    return (
        configuration.batch_size, configuration.patch_size[0] * configuration.patch_size[1],
        configuration.groups * configuration.blocks, configuration.features, configuration.discriminator_features,
    )  # fmt: skip


def test_enough_memory_gives_the_papers_size_and_no_more():
    for memory in (16.0, 80.0, 1000.0):
        made = size_for_memory(BASE, LARGE, memory)
        assert (made.features, made.groups, made.blocks, made.batch_size, made.patch_size) == (64, 5, 5, 8, (64, 64))
        assert (made.discriminator_features, made.epochs, made.iterations_per_epoch) == (64, 200, 250)
        assert made.reasons["batch_size"].startswith("the paper's; training takes about")


def test_a_cpu_gets_what_it_can_train():
    made = size_for_cpu(BASE, LARGE)
    assert (made.features, made.groups, made.blocks, made.batch_size, made.patch_size) == (32, 2, 2, 8, (32, 32))
    assert made.epochs * made.iterations_per_epoch == 5000


def test_each_sacrifice_saves_memory_and_the_first_that_fits_is_taken():
    sizes = [PAPER]
    for _, values in SACRIFICES:
        sizes.append(replace(sizes[-1], **values))
    needed = []
    for size in sizes:
        made = replace(
            BASE, patch_size=(size.patch, size.patch), batch_size=size.batch, features=size.features,
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
    assert all(16 <= side <= n for side, n in zip(made.patch_size, smallest[1:], strict=True))
    assert made.batch_size >= 2
    assert memory is None or training_memory(made).total_gb <= memory
    assert not base.turns or made.patch_size[0] == made.patch_size[1]
    if memory is None:
        assert ("; cut, as" in made.reasons["patch_size"]) == (made.patch_size != (32, 32))


def test_too_little_memory_says_how_much_it_takes():
    with pytest.raises(
        UdeansrError,
        match=r"--memory-gb 0.5: the smallest training of x2x2x2 takes \d\.\d GB; give more, or plan for a CPU with "
        "--memory-gb 0",
    ):
        size_for_memory(BASE, LARGE, 0.5)
