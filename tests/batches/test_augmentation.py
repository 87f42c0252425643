from itertools import product

import numpy as np
import pytest

from udeansr.batches.augmentation import GAIN_RANGE, draw_gain, mirror_and_rotate

SLAB = np.random.default_rng(0).uniform(size=(3, 8, 8))


def transforms_of(slab: np.ndarray, rotate90: bool) -> list[np.ndarray]:
    """All that may come out: every set of mirrored axes, then every rotation."""
    axes = [tuple(np.flatnonzero(mirrored)) for mirrored in product((False, True), repeat=3)]
    return [
        np.rot90(np.flip(slab, one), rotations, (1, 2)) for one in axes for rotations in range(4 if rotate90 else 1)
    ]


def found_in(slab: np.ndarray, slabs: list[np.ndarray]) -> set[int]:
    return {number for number, one in enumerate(slabs) if np.array_equal(slab, one)}


@pytest.mark.parametrize("rotate90", [False, True])
def test_each_outcome_is_a_mirroring_and_a_rotation_and_each_of_them_happens(rotate90: bool) -> None:
    possible, rng = transforms_of(SLAB, rotate90), np.random.default_rng(1)
    seen = [found_in(mirror_and_rotate(SLAB, rng, rotate90), possible) for _ in range(300)]
    assert all(seen)
    assert set.union(*seen) == set(range(len(possible)))


@pytest.mark.parametrize("rotate90", [False, True])
def test_augmenting_and_merging_voxels_commute(rotate90: bool) -> None:
    """What is true of HR and LR stays true of augmented HR and LR."""

    def merged(slab: np.ndarray) -> np.ndarray:
        z, y, x = slab.shape
        return slab.reshape(z, y // 2, 2, x // 2, 2).mean((2, 4))

    for seed in range(20):
        one = mirror_and_rotate(merged(SLAB), np.random.default_rng(seed), rotate90)
        other = merged(mirror_and_rotate(SLAB, np.random.default_rng(seed), rotate90))
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_outcome_depends_on_the_generator_alone_and_leaves_its_input() -> None:
    before = SLAB.copy()
    for seed in range(5):
        one, other = (mirror_and_rotate(SLAB, np.random.default_rng(seed), True) for _ in range(2))
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(SLAB, before)


def test_rotating_or_not_draws_the_same_numbers() -> None:
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    mirror_and_rotate(SLAB, one, True)
    mirror_and_rotate(SLAB, other, False)
    assert one.random() == other.random()


def test_a_patch_that_is_not_square_is_mirrored_and_never_rotated() -> None:
    oblong = SLAB[:, :, :6]
    assert mirror_and_rotate(oblong, np.random.default_rng(0), False).shape == oblong.shape
    with pytest.raises(ValueError, match=r"\(8, 6\)"):
        mirror_and_rotate(oblong, np.random.default_rng(0), True)


def test_gains_fill_their_range() -> None:
    rng = np.random.default_rng(2)
    gains = [draw_gain(rng) for _ in range(500)]
    low, high = GAIN_RANGE
    assert low <= min(gains) < low + 0.01 and high - 0.01 < max(gains) <= high
