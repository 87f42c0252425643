import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udeansr.batches.slabs import draw_pair, draw_slab, draw_view, seen


@given(st.data())
def test_a_slab_holds_the_voxel_it_was_drawn_around(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 9)] * 3))
    slab = tuple(data.draw(st.integers(1, n)) for n in shape)
    centre = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    voxels = np.zeros(shape)
    voxels[centre] = 1
    cut = draw_slab(voxels, np.array([centre]), slab, np.random.default_rng(0))
    assert cut.shape == slab
    assert cut.sum() == 1


def test_where_there_is_room_the_voxel_is_in_the_middle() -> None:
    voxels = np.zeros((9, 20, 20))
    voxels[4, 10, 8] = 1
    cut = draw_slab(voxels, np.array([[4, 10, 8]]), (3, 8, 5), np.random.default_rng(0))
    assert np.argwhere(cut).tolist() == [[1, 4, 2]]


def test_every_foreground_voxel_gets_its_turn() -> None:
    voxels = np.arange(7).reshape(1, 1, 7)
    rng = np.random.default_rng(1)
    drawn = [int(draw_slab(voxels, np.argwhere(voxels >= 0), (1, 1, 1), rng)[0, 0, 0]) for _ in range(700)]
    assert min(np.bincount(drawn, minlength=7)) > 60


def test_only_the_slab_is_taken_from_a_mapped_array(cohorts: tuple) -> None:
    case = cohorts[0][0]
    voxels = case.voxels
    cut = draw_slab(voxels, case.foreground, (3, 8, 8), np.random.default_rng(0))
    assert np.shares_memory(cut, voxels)


def test_callers_mistakes() -> None:
    voxels, rng = np.ones((2, 8, 8)), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"a slab of \(3, 8, 8\) does not fit into \(2, 8, 8\)"):
        draw_slab(voxels, np.array([[0, 0, 0]]), (3, 8, 8), rng)
    with pytest.raises(ValueError, match="no foreground voxel"):
        draw_slab(voxels, np.zeros((0, 3), int), (2, 8, 8), rng)


def test_a_pair_is_of_one_field_of_view():
    lr = np.arange(4 * 10 * 12).reshape(4, 10, 12)
    hr = lr.repeat(2, 1).repeat(3, 2)
    rng = np.random.default_rng(0)
    for centre in [(0, 0, 0), (3, 19, 35), (2, 9, 20)]:
        fine, coarse = draw_pair(hr, lr, np.array([centre]), (3, 4, 5), rng)
        assert fine.shape == (3, 8, 15) and coarse.shape == (3, 4, 5)
        np.testing.assert_array_equal(fine, coarse.repeat(2, 1).repeat(3, 2))
        assert hr[centre] in coarse


def test_a_view_is_the_same_memory_and_one_view_draws_no_number() -> None:
    voxels = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert np.array_equal(seen(voxels, (2, 0, 1)), np.moveaxis(voxels, 3, 1))
    assert np.shares_memory(seen(voxels, (1, 0, 2)), voxels)
    rng = np.random.default_rng(0)
    assert draw_view([(0, 1, 2)], rng) == (0, 1, 2) and rng.random() == np.random.default_rng(0).random()
    assert {tuple(draw_view([(1, 0, 2), (2, 0, 1)], rng)) for _ in range(20)} == {(1, 0, 2), (2, 0, 1)}
