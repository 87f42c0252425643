import pickle
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from udeansr.batches import loader
from udeansr.batches.batch import Batch
from udeansr.batches.loader import SlabLoader, slab_batches
from udeansr.errors import UdeansrError
from udeansr.planning.plan import Configuration
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase

Cohorts = tuple[list[PreprocessedCase], list[PreprocessedCase]]


def assert_equal(one: Sequence[Batch], other: Sequence[Batch]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.hr, b.hr) and torch.equal(a.lr, b.lr)


def test_batches_are_as_promised(cohorts: Cohorts, configuration: Configuration) -> None:
    batches = list(slab_batches(*cohorts, configuration, seed=1, first=0, count=3))
    assert len(batches) == 3
    for batch in batches:
        assert batch.hr.shape == (3, 6, 16, 16) and batch.lr.shape == (3, 3, 8, 8)
        assert batch.hr.dtype == batch.lr.dtype == torch.float32
    flat = [batch.lr.flatten() for batch in batches]
    assert not torch.equal(flat[0], flat[1]) and not torch.equal(flat[1], flat[2])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_change_nothing(workers: int, cohorts: Cohorts, configuration: Configuration) -> None:
    alone = list(slab_batches(*cohorts, configuration, seed=5, first=2, count=7))
    assert_equal(list(slab_batches(*cohorts, configuration, seed=5, first=2, count=7, workers=workers)), alone)


def test_a_run_taken_up_again_goes_on_with_the_same_batches(cohorts: Cohorts, configuration: Configuration) -> None:
    whole = list(slab_batches(*cohorts, configuration, seed=5, first=0, count=6))
    for first in range(6):
        tail = list(slab_batches(*cohorts, configuration, seed=5, first=first, count=6 - first))
        assert_equal(tail, whole[first:])


def test_another_seed_gives_other_batches(cohorts: Cohorts, configuration: Configuration) -> None:
    one, other = (next(slab_batches(*cohorts, configuration, seed=seed, first=0, count=1)) for seed in (5, 6))
    assert not torch.equal(one.hr, other.hr) and not torch.equal(one.lr, other.lr)


def test_global_random_states_play_no_part(cohorts: Cohorts, configuration: Configuration) -> None:
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[union-attr]
    next(slab_batches(*cohorts, configuration, seed=5, first=0, count=1))
    assert np.random.get_state()[1].tolist() == before[0]  # type: ignore[union-attr]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_without_augmentation_slabs_are_parts_of_the_cases(cohorts: Cohorts, configuration: Configuration) -> None:
    batch = next(slab_batches(*cohorts, configuration, seed=5, first=0, count=1, augment=False))
    for slabs, cases in ((batch.hr, cohorts[0]), (batch.lr, cohorts[1])):
        for slab in slabs.numpy():
            places = [np.argwhere(np.asarray(case.voxels) == slab[0, 0, 0]) for case in cases]
            (case, (z, y, x)), *others = [
                (case, place) for case, found in zip(cases, places, strict=True) for place in found
            ]
            assert not others
            depth, height, width = slab.shape
            np.testing.assert_array_equal(case.voxels[z : z + depth, y : y + height, x : x + width], slab)


def test_the_gain_is_shared_within_an_element_and_its_own(make_case, configuration: Configuration) -> None:
    hr, lr = make_case("hr", "sourceHR", np.full((6, 16, 16), 0.5)), make_case("lr", "targetLR", np.ones((3, 8, 8)))
    batch = next(slab_batches([hr], [lr], configuration, seed=2, first=0, count=1))
    gains = batch.lr.mean((1, 2, 3))
    assert torch.allclose(2 * batch.hr, gains[:, None, None, None].expand_as(batch.hr))
    assert torch.allclose(batch.lr, gains[:, None, None, None].expand_as(batch.lr))
    assert gains.min() >= 0.9 and gains.max() <= 1.1 and len(set(gains.tolist())) == 3


@pytest.mark.parametrize("rotate90", [False, True])
def test_patches_turn_only_where_the_plan_allows_it(rotate90: bool, make_case, configuration: Configuration) -> None:
    columns = np.tile(np.arange(1.0, 17), (6, 16, 1))  # brighter along X, the same along Z and Y
    hr, lr = make_case("hr", "sourceHR", columns), make_case("lr", "targetLR", columns[:3, :8, :8])
    batches = slab_batches([hr], [lr], configuration.changed(rotate90=rotate90), seed=0, first=0, count=4)
    rows_differ = {bool((slab[:, 0] != slab[:, -1]).any()) for batch in batches for slab in batch.lr}
    assert rows_differ == ({False, True} if rotate90 else {False})


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_array_is_the_users_error_with_its_traceback(
    workers: int, cohorts: Cohorts, configuration: Configuration
) -> None:
    (cohorts[1][1].folder / "voxels.npy").unlink()
    with pytest.raises(UdeansrError, match=r"voxels\.npy: missing or broken") as caught:
        list(slab_batches(*cohorts, configuration, seed=1, first=0, count=20, workers=workers))
    if workers:
        assert 'case_folder.py", line' in caught.value.__notes__[0]


def test_a_loader_can_be_sent_to_a_process_that_was_not_forked(cohorts: Cohorts, configuration: Configuration) -> None:
    one = SlabLoader(*cohorts, configuration, 5, range(3, 9), 1, True)
    other = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(next(one)["hr"], next(other)["hr"])


def test_memory_is_pinned_on_request(
    cohorts: Cohorts, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor.shape) or tensor)
    next(slab_batches(*cohorts, configuration, seed=1, first=0, count=1))
    assert not pinned
    next(slab_batches(*cohorts, configuration, seed=1, first=0, count=1, pin_memory=True))
    assert pinned == [(3, 6, 16, 16), (3, 3, 8, 8)]


def test_callers_mistakes_show_at_once(cohorts: Cohorts, configuration: Configuration) -> None:
    with pytest.raises(ValueError, match="3 HR cases and 0 LR cases; expected some of both"):
        slab_batches(cohorts[0], [], configuration, seed=1, first=0, count=1)
    for name in ("seed", "first", "count", "workers"):
        numbers = {"seed": 1, "first": 0, "count": 1, "workers": 0, name: -1}
        with pytest.raises(ValueError, match=f"{name} -1.*: expected no negative number"):
            slab_batches(*cohorts, configuration, **numbers)


def test_no_batches_no_workers(cohorts: Cohorts, configuration: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "from_workers", None)
    assert list(slab_batches(*cohorts, configuration, seed=1, first=4, count=0, workers=2)) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_degraded_slabs_are_those_of_their_hr_moved_and_scaled_alike(
    workers: int, cohorts: Cohorts, configuration: Configuration
) -> None:
    for batch in slab_batches(*cohorts, configuration, seed=4, first=0, count=3, degraded=True, workers=workers):
        assert batch.degraded is not None
        cells = batch.hr.unflatten(1, (3, 2)).unflatten(3, (8, 2)).unflatten(5, (8, 2))
        torch.testing.assert_close(cells.mean((2, 4, 6)), batch.degraded)


def test_degraded_slabs_get_fresh_noise(cohorts: Cohorts, configuration: Configuration) -> None:
    noisy = [replace(case, noise=0.02) for case in cohorts[0]]
    one, other = (
        next(slab_batches(cases, cohorts[1], configuration, seed=4, first=0, count=1, augment=False, degraded=True))
        for cases in (noisy, cohorts[0])
    )
    assert one.degraded is not None and other.degraded is not None
    first = (one.degraded - other.degraded)[0]  # the noise has moved the draws of the elements after
    assert torch.equal(one.hr[0], other.hr[0])
    assert 0.015 < float(first.std()) < 0.025


@pytest.mark.parametrize("workers", [0, 2])
def test_of_a_variety_one_scanner_is_drawn_and_shown_restored_and_as_it_is(
    workers: int, cohorts: Cohorts, configuration: Configuration
) -> None:
    various = configuration.changed(source_degradation="randomized")
    for case in cohorts[0]:  # scanner s: restored is -10 (s + 1) times the cells' mean, as it is 3 times the restored
        cells = np.array(case.degraded)
        restored = np.stack([-10.0 * (scanner + 1) * cells for scanner in range(4)])
        np.save(case.folder / "degraded.npy", np.stack([restored, 3 * restored], axis=1).astype(np.float32))
    drawn = set()
    for batch in slab_batches(*cohorts, various, seed=4, first=0, count=6, degraded=True, workers=workers):
        assert batch.degraded is not None and batch.degraded.shape == (3, 6, 8, 8)
        restored, plain = batch.degraded[:, :3], batch.degraded[:, 3:]
        torch.testing.assert_close(plain, 3 * restored)
        means = batch.hr.reshape(3, 3, 2, 8, 2, 8, 2).mean((2, 4, 6))
        factors = (restored / means).mean((1, 2, 3))
        torch.testing.assert_close(restored, factors[:, None, None, None] * means)
        drawn |= {round(float(factor)) for factor in factors}
    assert drawn <= {-10, -20, -30, -40} and len(drawn) > 1


def test_nobody_who_does_not_ask_pays_for_degraded_slabs(cohorts: Cohorts, configuration: Configuration) -> None:
    assert next(slab_batches(*cohorts, configuration, seed=4, first=0, count=1)).degraded is None
