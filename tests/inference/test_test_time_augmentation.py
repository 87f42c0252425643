import re
from types import SimpleNamespace

import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.inference.test_time_augmentation import IDENTITY, QUALITIES, FlipRotate, all_transforms, inference_settings

SLAB = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)


@pytest.mark.parametrize("transform", all_transforms(rotate90=True))
def test_back_undoes_there_on_any_grid(transform):
    slab = torch.rand(2, 3, 4, 5)
    assert torch.equal(transform.invert(transform.apply(slab)), slab)
    fine = slab.repeat_interleave(2, -3).repeat_interleave(3, -2).repeat_interleave(3, -1)
    apply = transform.apply(slab).repeat_interleave(2, -3).repeat_interleave(3, -2).repeat_interleave(3, -1)
    assert torch.equal(transform.invert(apply), fine)


@pytest.mark.parametrize(("rotate90", "count"), [(False, 8), (True, 16)])
def test_each_way_to_lay_a_slab_onto_its_grid_comes_once(rotate90, count):
    transformed = {tuple(transform.apply(SLAB).flatten().tolist()) for transform in all_transforms(rotate90)}
    assert len(transformed) == len(all_transforms(rotate90)) == count
    assert all_transforms(rotate90)[0] == IDENTITY


def test_without_turns_the_sides_stay():
    assert {transform.apply(torch.rand(1, 3, 4, 5)).shape for transform in all_transforms(False)} == {(1, 3, 4, 5)}


def test_channels_are_not_mixed():
    assert torch.equal(FlipRotate((0, 1, 2), 1).apply(SLAB)[1], FlipRotate((0, 1, 2), 1).apply(SLAB[1]))


def method(output_slices: int | None = 3, slab: int | None = 3, rotate90: bool = False, learns: bool = False):
    return SimpleNamespace(
        name="some",
        players=() if output_slices is None else ("network",),
        output_slices=output_slices,
        slab_slices=slab,
        is_zero_shot=learns,
        configuration=SimpleNamespace(task=SimpleNamespace(rotate90=rotate90)),
    )


def test_more_quality_is_more_work():
    answers = [
        (lambda work: len(work.transforms) * 3 / work.stride)(inference_settings(q, method(), "SPL")) for q in QUALITIES
    ]
    assert answers == [1, 6, 24]
    assert inference_settings("best", method(rotate90=True), "SPL").transforms == all_transforms(True)


@pytest.mark.parametrize(("orientation", "axis"), [("SPL", 2), ("LSP", 0), ("PSR", 2), ("SRP", 1), (None, 2)])
def test_balanced_mirrors_left_to_right(orientation, axis):
    assert inference_settings("balanced", method(), orientation).transforms == (IDENTITY, FlipRotate((axis,)))


def test_a_stride_takes_the_place_of_the_qualitys_own():
    assert inference_settings("fast", method(), "SPL", stride=2).stride == 2
    for stride in (0, 4):
        with pytest.raises(UdeansrError, match=re.escape("3 of the 3 slices of a slab; expected 1 (best) to 3")):
            inference_settings("fast", method(), "SPL", stride=stride)


def test_a_method_that_interpolates_gives_one_answer_at_any_quality():
    for quality in QUALITIES:
        work = inference_settings(quality, method(None, None), None)
        assert work.transforms == (IDENTITY,) and not work.predicts_repeatedly(method(None, None))


def test_overlap_or_moves_give_more_than_one_answer():
    assert not inference_settings("fast", method(), "SPL").predicts_repeatedly(method())
    assert inference_settings("fast", method(), "SPL", stride=2).predicts_repeatedly(method())
    assert inference_settings("balanced", method(1), "SPL").predicts_repeatedly(method(1))


def test_what_does_not_exist_or_has_its_own_ensemble_is_refused():
    with pytest.raises(UdeansrError, match="quality 'superb' is none; expected fast, balanced, best"):
        inference_settings("superb", method(), "SPL")
    with pytest.raises(UdeansrError, match=r"'best' does not go with some, .*expected fast; .*--set some.median=true"):
        inference_settings("best", method(learns=True), "SPL")
