import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from udeansr.batches import loader
from udeansr.batches.batch import Batch
from udeansr.batches.loader import SlabBatches, slab_batches
from udeansr.errors import UdeansrError
from udeansr.planning.configuration import Configuration
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase

# On a machine with one core torch advises against two workers.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
forked = pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="patches what workers inherit")

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


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int, cohorts: Cohorts, configuration: Configuration) -> None:
    alone = list(slab_batches(*cohorts, configuration, seed=5, first=2, count=7))
    assert_equal(list(slab_batches(*cohorts, configuration, seed=5, first=2, count=7, workers=workers)), alone)
    assert not multiprocessing.active_children()


def test_a_continued_run_gets_the_same_batches(cohorts: Cohorts, configuration: Configuration) -> None:
    whole = list(slab_batches(*cohorts, configuration, seed=5, first=0, count=6))
    for first in range(6):
        tail = list(slab_batches(*cohorts, configuration, seed=5, first=first, count=6 - first))
        assert_equal(tail, whole[first:])


def test_another_seed_gives_other_batches(cohorts: Cohorts, configuration: Configuration) -> None:
    one, other = (next(slab_batches(*cohorts, configuration, seed=seed, first=0, count=1)) for seed in (5, 6))
    assert not torch.equal(one.hr, other.hr) and not torch.equal(one.lr, other.lr)


@pytest.mark.parametrize("workers", [0, 2])
def test_no_number_of_a_global_generator_is_drawn(workers: int, cohorts: Cohorts, configuration: Configuration) -> None:
    before = np.random.get_state(), torch.get_rng_state(), random.getstate()
    list(slab_batches(*cohorts, configuration, seed=5, first=0, count=2, workers=workers))
    np.testing.assert_equal(np.random.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2]


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
def test_patches_are_rotated_only_where_planned(rotate90: bool, make_case, configuration: Configuration) -> None:
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
    with pytest.raises(UdeansrError, match=r"voxels\.npy") as caught:
        list(slab_batches(*cohorts, configuration, seed=1, first=0, count=20, workers=workers))
    assert "\n" not in str(caught.value)
    if workers:
        assert 'case_folder.py", line' in caught.value.__notes__[0]


def test_a_dataset_can_be_sent_to_a_process_that_was_not_forked(cohorts: Cohorts, configuration: Configuration) -> None:
    one = SlabBatches(*cohorts, configuration, 5, True)
    first, second = one[3], pickle.loads(pickle.dumps(one))[3]
    assert isinstance(first, Batch)
    assert_equal([first], [second])


def test_memory_is_pinned_on_request(
    cohorts: Cohorts, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(loader, "DataLoader", lambda *_, pin_memory, **__: asked.append(pin_memory))
    for pin_memory in (False, True):
        slab_batches(*cohorts, configuration, seed=1, first=0, count=1, pin_memory=pin_memory)
    assert asked == [False, True]


def test_callers_mistakes_show_at_once(cohorts: Cohorts, configuration: Configuration) -> None:
    with pytest.raises(ValueError, match="3 HR cases and 0 LR cases"):
        slab_batches(cohorts[0], [], configuration, seed=1, first=0, count=1)
    for name in ("seed", "first", "count", "workers"):
        numbers = {"seed": 1, "first": 0, "count": 1, "workers": 0, name: -1}
        with pytest.raises(ValueError, match=f"{name} -1"):
            slab_batches(*cohorts, configuration, **numbers)


def test_no_batches_no_workers(cohorts: Cohorts, configuration: Configuration) -> None:
    assert list(slab_batches(*cohorts, configuration, seed=1, first=4, count=0, workers=2)) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_degraded_slabs_are_those_of_their_hr_augmented_alike(
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
    first = (one.degraded - other.degraded)[0]  # later elements are others: noise takes draws
    assert torch.equal(one.hr[0], other.hr[0])
    assert 0.015 < float(first.std()) < 0.025


@pytest.mark.parametrize("workers", [0, 2])
def test_of_many_scanners_one_is_drawn_deconvolved_and_as_it_is(
    workers: int, cohorts: Cohorts, configuration: Configuration
) -> None:
    randomized = configuration.changed(source_degradation="randomized")
    for case in cohorts[0]:  # of scanner s: -10 (s + 1) times the cells' mean, and 3 times that
        cells = np.array(case.degraded)
        deconvolved = np.stack([-10.0 * (scanner + 1) * cells for scanner in range(4)])
        np.save(case.folder / "degraded.npy", np.stack([deconvolved, 3 * deconvolved], axis=1).astype(np.float32))
    drawn = set()
    for batch in slab_batches(*cohorts, randomized, seed=4, first=0, count=6, degraded=True, workers=workers):
        assert batch.degraded is not None and batch.degraded.shape == (3, 6, 8, 8)
        deconvolved, plain = batch.degraded[:, :3], batch.degraded[:, 3:]
        torch.testing.assert_close(plain, 3 * deconvolved)
        means = batch.hr.reshape(3, 3, 2, 8, 2, 8, 2).mean((2, 4, 6))
        factors = (deconvolved / means).mean((1, 2, 3))
        torch.testing.assert_close(deconvolved, factors[:, None, None, None] * means)
        drawn |= {round(float(factor)) for factor in factors}
    assert drawn <= {-10, -20, -30, -40} and len(drawn) > 1


def test_nobody_who_does_not_ask_pays_for_degraded_slabs(cohorts: Cohorts, configuration: Configuration) -> None:
    assert next(slab_batches(*cohorts, configuration, seed=4, first=0, count=1)).degraded is None


class StubbornError(Exception):
    """Cannot be made again from what it was pickled to."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


@forked
@pytest.mark.parametrize(
    ("error", "kind"), [(KeyError("left socket"), KeyError), (StubbornError("left", " socket"), RuntimeError)]
)
def test_a_workers_error_comes_in_its_turn_with_its_traceback(
    error: Exception,
    kind: type[Exception],
    cohorts: Cohorts,
    configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = SlabBatches._draw_batch

    def fail(dataset: SlabBatches, number: int) -> Batch:
        if number == 3:
            raise error
        return draw(dataset, number)

    monkeypatch.setattr(SlabBatches, "_draw_batch", fail)
    batches = slab_batches(*cohorts, configuration, seed=5, first=0, count=9, workers=2)
    for _ in range(3):
        next(batches)
    with pytest.raises(kind, match="left socket") as caught:
        next(batches)
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert "raise error" in text and type(error).__name__ in text
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("forgotten", [False, True])
def test_workers_end_when_the_generator_is_closed_or_forgotten(
    forgotten: bool, cohorts: Cohorts, configuration: Configuration
) -> None:
    batches = slab_batches(*cohorts, configuration, seed=5, first=0, count=99, workers=2)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    if not forgotten:
        batches.close()
    del batches
    assert not multiprocessing.active_children()


def test_a_killed_worker_is_an_error_within_seconds(
    cohorts: Cohorts, configuration: Configuration, capfd: pytest.CaptureFixture[str]
) -> None:
    batches = slab_batches(*cohorts, configuration, seed=5, first=0, count=9999, workers=2)
    handler = signal.getsignal(signal.SIGCHLD)
    next(batches)
    assert signal.getsignal(signal.SIGCHLD) == handler
    victim = multiprocessing.active_children()[1].pid
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(UdeansrError, match="--workers 0") as caught:
        list(batches)
    assert time.monotonic() - begun < 10
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_is_left_to_the_trainer(cohorts: Cohorts, configuration: Configuration) -> None:
    batches = slab_batches(*cohorts, configuration, seed=5, first=0, count=20, workers=2)
    for _ in range(2):  # one of each worker: both have begun
        next(batches)
    for worker in multiprocessing.active_children():
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGINT)
    assert len(list(batches)) == 18


PROGRAM = """
import multiprocessing, pickle, sys, time
from pathlib import Path
from udeansr.batches.loader import slab_batches
hr, lr, configuration = pickle.loads(Path(sys.argv[1]).read_bytes())
batches = slab_batches(hr, lr, configuration, seed=5, first=0, count=99, workers=2)
next(batches)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs the process table of Linux")
def test_no_worker_outlives_a_killed_trainer(cohorts: Cohorts, configuration: Configuration, tmp_path: Path) -> None:
    (tmp_path / "arguments").write_bytes(pickle.dumps((*cohorts, configuration)))
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "arguments")]
    trainer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert trainer.stdout is not None
    pids = [int(pid) for pid in trainer.stdout.readline().split()]
    assert len(pids) == 2
    trainer.kill()
    trainer.wait()
    trainer.stdout.close()
    end = time.monotonic() + 10
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < end, "a worker is still there"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_slabs_of_several_axes_are_drawn_of_each(make_case) -> None:
    """Voxels tell their place, so that each slab tells along which axis it was cut; a pair shows one place."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in (20, 22, 24)), indexing="ij")
    volume = 1 + 0.01 * z + 1.0 * y + 50.0 * x
    hr, lr = make_case("a", "sourceHR", volume), make_case("b", "targetLR", volume[:10, :11, :12])
    configuration = Configuration.of(
        name="x2x2x2", scale="x2x2x2", lr_spacing_mm=(2.0, 2.0, 2.0), hr_spacing_mm=(1.0, 1.0, 1.0),
        slab_slices=3, patch_size=(8, 8), rotate90=False, batch_size=8, features=4, groups=1, blocks=1,
        discriminator_features=4, epochs=1, iterations_per_epoch=2, slab_axes="YX",
    )  # fmt: skip
    (batch,) = slab_batches([hr], [lr], configuration, seed=0, first=0, count=1, augment=False, degraded=True)
    steps = [round(float(slab[1, 0, 0] - slab[0, 0, 0])) for slab in batch.lr]
    assert set(steps) == {1, 50}
    assert batch.hr.shape == (8, 6, 16, 16) and batch.degraded is not None
    assert torch.allclose(torch.nn.functional.avg_pool3d(batch.hr[:, None], 2)[:, 0], batch.degraded, rtol=1e-4)
    rows = {round(float(slab[0, 1, 0] - slab[0, 0, 0]), 2) for slab in batch.lr}
    assert rows == {0.01}  # of slices, in each
