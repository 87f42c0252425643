from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from udeansr.inference import sliding_window
from udeansr.inference.sliding_window import Slices, SlidingWindow
from udeansr.inference.test_time_augmentation import IDENTITY, FlipRotate, all_transforms


def walk(**changed) -> SlidingWindow:
    values = {"length": 6, "slab": 3, "stride": 1, "pixels": 20, "device": torch.device("cpu"), "precision": "fp32"}
    return SlidingWindow(**values | changed)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def whole(slices: Iterator[Slices]) -> tuple[np.ndarray, np.ndarray | None]:
    """All slices, found to come in order and without a gap."""
    means, spreads = [], []
    for first, mean, std in slices:
        assert first == sum(map(len, means)) and mean.dtype == np.float32
        means.append(mean)
        spreads.append(std)
    return np.concatenate(means), None if spreads[0] is None else np.concatenate(spreads)


def lopsided(slabs: Tensor) -> Tensor:
    """Neither mirrored nor turned input gives mirrored or turned output."""
    return slabs.cumsum(-1) + 2 * slabs.cumsum(-2) + slabs.cumsum(1).square()


@given(length=st.integers(1, 9), slab=st.integers(1, 5), stride=st.integers(1, 5), margin=st.integers(0, 2))
def test_mean_and_spread_are_those_of_all_answers(length, slab, stride, margin):
    if stride > slab - 2 * margin:
        return
    volume, transforms = noise(1, length, 4, 5), all_transforms(False)[:4]
    found, std = whole(
        walk(length=length, slab=slab, stride=stride, margin=margin).slices(lopsided, volume, transforms, std=True)
    )
    answers: dict[int, list[np.ndarray]] = {number: [] for number in range(length)}
    for start in range(-((slab - stride) // 2), length - (slab - stride) // 2, stride):
        numbers = np.arange(start, start + slab)
        gathered = torch.from_numpy(volume[:, numbers.clip(0, length - 1)])
        for transform in transforms:
            answer = transform.invert(lopsided(transform.apply(gathered).flatten(0, 1)[None]))[0].numpy()
            for number, slice_ in list(zip(numbers, answer, strict=True))[margin : slab - margin]:
                if number in answers:
                    answers[number].append(slice_)
    assert std is not None
    np.testing.assert_allclose(found, [np.mean(answers[number], 0) for number in range(length)], rtol=1e-4)
    np.testing.assert_allclose(std, [np.std(answers[number], 0) for number in range(length)], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rotate90", [False, True])
def test_a_network_that_mirrors_with_its_input_has_no_spread(rotate90):
    volume = noise(1, 6, 4, 4)
    found, std = whole(walk().slices(torch.square, volume, all_transforms(rotate90), std=True))
    assert std is not None and std.max() < 1e-6
    np.testing.assert_allclose(found, volume[0] ** 2, rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_mean_over_all_mirrorings_mirrors_with_its_input(axis):
    volume = noise(1, 6, 4, 5)
    found, _ = whole(walk().slices(lopsided, volume, all_transforms(False)))
    mirrored, _ = whole(walk().slices(lopsided, np.flip(volume, axis + 1), all_transforms(False)))
    np.testing.assert_allclose(np.flip(mirrored, axis), found, rtol=1e-5)
    alone, _ = whole(walk().slices(lopsided, volume))
    assert not np.allclose(alone, found, rtol=0.1)


def test_small_spread_on_a_high_level_is_not_lost():
    answers = iter([1000.0, 1000.25, 1000.5, 1000.75])
    _, std = whole(
        walk(length=1).slices(lambda slabs: slabs * 0 + next(answers), noise(1, 1, 4, 5), [IDENTITY] * 4, std=True)
    )
    np.testing.assert_allclose(std, np.std([0, 0.25, 0.5, 0.75]), rtol=1e-5)


def test_channels_go_side_by_side_each_moved_alike():
    network_input = noise(2, 6, 4, 5)

    def second_minus_first(slabs: Tensor) -> Tensor:
        return slabs[:, 3:] - slabs[:, :3]

    found, _ = whole(walk().slices(second_minus_first, network_input, [FlipRotate((0, 2)), FlipRotate((1,), 1)]))
    np.testing.assert_allclose(found, network_input[1] - network_input[0], atol=1e-6)


def test_only_slices_that_wait_for_an_answer_are_kept(monkeypatch):
    monkeypatch.setitem(sliding_window.HR_PIXELS_A_BATCH, "cpu", 40)
    seen = []

    def network(slabs: Tensor) -> Tensor:
        seen.append(len(slabs))
        return slabs

    slices = walk(length=100).slices(network, noise(1, 100, 4, 5))
    assert seen == []
    next(slices)
    assert seen == [2, 2]  # those that are given, and the next
    next(slices)
    assert seen == [2, 2, 2]


def test_neither_inference_mode_nor_autocast_reach_the_caller_between_slices():
    for _ in walk(precision="bf16").slices(lambda slabs: slabs, noise(1, 6, 4, 5)):
        assert not torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")


def test_progress_counts_each_move():
    told = []
    list(
        walk().slices(
            lambda slabs: slabs, noise(1, 6, 4, 5), all_transforms(False)[:2], False, lambda *n: told.append(n)
        )
    )
    assert told == [(6, 12), (12, 12)]


@pytest.mark.parametrize(
    "error", [torch.cuda.OutOfMemoryError(), RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")]
)
def test_a_batch_that_fits_once_is_kept_to(monkeypatch, error):
    monkeypatch.setitem(sliding_window.HR_PIXELS_A_BATCH, "cpu", 9 * 20)
    seen = []

    def hungry(slabs: Tensor) -> Tensor:
        seen.append(len(slabs))
        if len(slabs) > 2:
            raise error
        return slabs

    volume = noise(1, 18, 4, 5)
    found, _ = whole(walk(length=18).slices(hungry, volume))
    np.testing.assert_array_equal(found, volume[0])
    assert seen[:2] == [9, 5] and seen[-5:] == [2, 2, 2, 2, 1]


def test_cudnn_does_not_search_anew_for_each_shape(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    searching = []
    whole(walk().slices(lambda slabs: searching.append(torch.backends.cudnn.benchmark) or slabs, noise(1, 6, 4, 5)))
    assert searching and not any(searching)
    assert torch.backends.cudnn.benchmark


def test_slices_are_given_once_the_next_batch_is_on_its_way(monkeypatch):
    """So that a device computes while what it has finished is copied and used."""
    monkeypatch.setattr(sliding_window, "HR_PIXELS_A_BATCH", {"cpu": 2 * 20})
    batches, seen = [], []
    slices = walk(length=8).slices(lambda slabs: batches.append(len(slabs)) or slabs, noise(1, 8, 4, 5), std=True)
    for first, means, _ in slices:
        seen.append((len(batches), first, len(means)))
    assert batches == [2, 2, 2, 2]
    assert [(batch, first) for batch, first, _ in seen] == [(2, 0), (3, 1), (4, 3), (4, 5)]
    assert sum(count for *_, count in seen) == 8
