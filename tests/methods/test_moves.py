import pytest
import torch

from udeansr.methods.moves import AS_IT_IS, Move, all_moves

SLAB = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)


@pytest.mark.parametrize("move", all_moves(turns=True))
def test_back_undoes_there_on_any_grid(move):
    slab = torch.rand(2, 3, 4, 5)
    assert torch.equal(move.back(move.there(slab)), slab)
    fine = slab.repeat_interleave(2, -3).repeat_interleave(3, -2).repeat_interleave(3, -1)
    there = move.there(slab).repeat_interleave(2, -3).repeat_interleave(3, -2).repeat_interleave(3, -1)
    assert torch.equal(move.back(there), fine)


@pytest.mark.parametrize(("turns", "count"), [(False, 8), (True, 16)])
def test_each_way_to_lay_a_slab_onto_its_grid_comes_once(turns, count):
    moved = {tuple(move.there(SLAB).flatten().tolist()) for move in all_moves(turns)}
    assert len(moved) == len(all_moves(turns)) == count
    assert all_moves(turns)[0] == AS_IT_IS


def test_without_turns_the_sides_stay():
    assert {move.there(torch.rand(1, 3, 4, 5)).shape for move in all_moves(False)} == {(1, 3, 4, 5)}


def test_channels_are_not_mixed():
    assert torch.equal(Move((0, 1, 2), 1).there(SLAB)[1], Move((0, 1, 2), 1).there(SLAB[1]))
