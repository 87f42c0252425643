import re
from types import SimpleNamespace

import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.inference.test_time_augmentation import AS_IT_IS, QUALITIES, Move, all_moves, work_of

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


def method(answered: int | None = 3, slab: int | None = 3, turns: bool = False, learns: bool = False):
    return SimpleNamespace(
        name="some",
        answered_slices=answered,
        slab_slices=slab,
        learns_in_prediction=learns,
        configuration=SimpleNamespace(turns=turns),
    )


def test_more_quality_is_more_work():
    answers = [(lambda work: len(work.moves) * 3 / work.stride)(work_of(q, method(), "SPL")) for q in QUALITIES]
    assert answers == [1, 6, 24]
    assert work_of("best", method(turns=True), "SPL").moves == all_moves(True)


@pytest.mark.parametrize(("orientation", "axis"), [("SPL", 2), ("LSP", 0), ("PSR", 2), ("SRP", 1), (None, 2)])
def test_balanced_mirrors_left_to_right(orientation, axis):
    assert work_of("balanced", method(), orientation).moves == (AS_IT_IS, Move((axis,)))


def test_a_stride_takes_the_place_of_the_qualitys_own():
    assert work_of("fast", method(), "SPL", stride=2).stride == 2
    for stride in (0, 4):
        with pytest.raises(UdeansrError, match=re.escape("3 of the 3 slices of a slab; expected 1 (best) to 3")):
            work_of("fast", method(), "SPL", stride=stride)


def test_a_method_that_interpolates_gives_one_answer_at_any_quality():
    for quality in QUALITIES:
        work = work_of(quality, method(None, None), None)
        assert work.moves == (AS_IT_IS,) and not work.answers_twice(method(None, None))


def test_overlap_or_moves_give_more_than_one_answer():
    assert not work_of("fast", method(), "SPL").answers_twice(method())
    assert work_of("fast", method(), "SPL", stride=2).answers_twice(method())
    assert work_of("balanced", method(1), "SPL").answers_twice(method(1))


def test_what_does_not_exist_or_has_its_own_ensemble_is_refused():
    with pytest.raises(UdeansrError, match="quality 'superb' is none; expected fast, balanced, best"):
        work_of("superb", method(), "SPL")
    with pytest.raises(UdeansrError, match=r"'best' does not go with some, .*expected fast; .*--set some.median=true"):
        work_of("best", method(learns=True), "SPL")
