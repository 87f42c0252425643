"""Batches from preprocessed cases, in this process or by workers. Knows cases and processes; knows no method."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batchgenerators.dataloading.data_loader import SlimDataLoaderBase
from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter

from udeansr.batches.augmentation import draw_gain, mirror_and_rotate
from udeansr.batches.batch import Batch
from udeansr.batches.slabs import draw_pair, draw_slab
from udeansr.batches.workers import begin_worker, failed_item, from_workers
from udeansr.degradation.measured_degradation import add_rician_noise
from udeansr.paths import SOURCE_HR
from udeansr.planning.plan import Configuration
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase


def slab_batches(
    hr_cases: Sequence[PreprocessedCase],
    lr_cases: Sequence[PreprocessedCase],
    configuration: Configuration,
    *,
    seed: int,
    first: int,
    count: int,
    workers: int = 0,
    augment: bool = True,
    degraded: bool = False,
    pin_memory: bool = False,
) -> Generator[Batch, None, None]:
    """Draw batches number ``first`` to ``first + count - 1`` of a run.

    Batch i depends on ``seed`` and i alone: not on the number of workers, nor on where the run was taken up again.
    Workers are shut down at the last batch, at an error, and when the iterator is closed or forgotten.

    Args:
        hr_cases: of ``sourceHR``.
        lr_cases: of ``targetLR``.
        configuration: slab, patch, scale, batch size, turns.
        seed: of the run.
        first: number of the first batch.
        count: how many.
        workers: processes that make batches ahead; 0 makes each when it is asked for.
        augment: mirror and turn each slab, change the gain of each pair of slabs.
        degraded: whether batches hold the HR slabs' LR as the measured degradation gives it.
        pin_memory: put batches where a CUDA device copies from without waiting.
    Raises:
        ValueError: if a cohort is empty or a number is negative.
        UdeansrError: if an array is broken or a worker was killed.
        Exception: what else a worker ran into, with the worker's traceback as a note.
    """
    if not hr_cases or not lr_cases:
        raise ValueError(f"{len(hr_cases)} HR cases and {len(lr_cases)} LR cases; expected some of both")
    if min(seed, first, count, workers) < 0:
        raise ValueError(f"seed {seed}, first {first}, count {count}, workers {workers}: expected no negative number")
    workers = min(workers, count)
    numbers = range(first, first + count)
    loader = SlabLoader(hr_cases, lr_cases, configuration, seed, numbers, max(workers, 1), augment, degraded)
    return _batches(loader, count, workers, pin_memory)


def _batches(loader: SlabLoader, count: int, workers: int, pin_memory: bool) -> Generator[Batch, None, None]:
    items = from_workers(loader, workers) if workers else SingleThreadedAugmenter(loader, None)
    try:
        for _ in range(count):
            item = next(items)
            batch = Batch(**{name: torch.from_numpy(slabs) for name, slabs in item.items()})
            yield batch.pin_memory() if pin_memory else batch
    finally:
        if isinstance(items, Generator):
            items.close()


class SlabLoader(SlimDataLoaderBase):
    """Makes the batches of given numbers; of several workers, each makes every so manieth.

    Args:
        hr_cases, lr_cases, configuration, seed, augment, degraded: as for :func:`slab_batches`.
        numbers: of the batches to make.
        workers: that share the numbers.
    """

    def __init__(
        self,
        hr_cases: Sequence[PreprocessedCase],
        lr_cases: Sequence[PreprocessedCase],
        configuration: Configuration,
        seed: int,
        numbers: range,
        workers: int,
        augment: bool,
        degraded: bool = False,
    ) -> None:
        super().__init__((hr_cases, lr_cases), configuration.size.batch_size, workers)
        slab = (configuration.task.slab_slices, *configuration.size.patch_size)
        fine = tuple(n * s for n, s in zip(slab, configuration.task.factors.zyx, strict=True))
        self._slab_shapes = (fine, slab)
        self._shown = configuration.task.input_slices
        self._rotate90 = configuration.task.rotate90
        self._seed, self._augment, self._degraded = seed, augment, degraded
        self._numbers = numbers
        self._waiting: Iterator[int] = iter(numbers)
        self._in_worker = False
        self._arrays: dict[Path, tuple[np.ndarray, ...]] = {}

    def set_thread_id(self, thread_id: int) -> None:
        """Called by batchgenerators as a worker begins."""
        super().set_thread_id(thread_id)
        self._waiting = iter(self._numbers[thread_id :: self.number_of_threads_in_multithreaded])
        self._in_worker = True
        begin_worker()

    def generate_train_batch(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The next batch: ``hr`` and ``lr`` as arrays; in a worker that fails, ``error``."""
        number = next(self._waiting)
        if not self._in_worker:
            return self._make(number)
        try:
            return self._make(number)
        except Exception as error:
            return failed_item(error)

    def _make(self, number: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng((self._seed, number))
        fine, coarse = self._slab_shapes
        shapes = {"hr": fine, "lr": coarse} | ({"degraded": (self._shown, *coarse[1:])} if self._degraded else {})
        made = {name: np.empty((self.batch_size, *shape), dtype=np.float32) for name, shape in shapes.items()}
        for element in range(self.batch_size):
            gain = np.float32(draw_gain(rng)) if self._augment else np.float32(1)
            for cases, name in zip(self._data, ("hr", "lr"), strict=True):
                case = cases[rng.integers(len(cases))]
                slabs = self._draw_pair(case, rng) if name == "hr" and self._degraded else self._draw(case, name, rng)
                for key, slab in slabs.items():
                    made[key][element] = slab * gain
        return made

    def _draw(self, case: PreprocessedCase, name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A slab of a case."""
        voxels, foreground = self._open(case)
        slab = draw_slab(voxels, foreground, self._slab_shapes[name == "lr"], rng)
        return {name: mirror_and_rotate(slab, rng, self._rotate90) if self._augment else slab}

    def _draw_pair(self, case: PreprocessedCase, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A slab of an HR case and the same of its LR, moved alike, with fresh noise in the LR.

        Of a variety of LR, which have their noise, one is drawn: the restored slices, then those as they are.
        """
        voxels, foreground, degraded = self._open(case)
        various = degraded.ndim == 5
        if various:
            degraded = degraded[rng.integers(len(degraded))]
        pair = draw_pair(voxels, degraded, foreground, self._slab_shapes[1], rng)
        if self._augment:
            seed = int(rng.integers(2**63))
            pair = (mirror_and_rotate(slab, np.random.default_rng(seed), self._rotate90) for slab in pair)
        hr, lr = pair
        made = lr.reshape(-1, *lr.shape[-2:]) if various else add_rician_noise(lr, case.noise, rng)
        return {"hr": hr, "degraded": made}

    def _open(self, case: PreprocessedCase) -> tuple[np.ndarray, ...]:
        """The arrays of a case, mapped once in each process."""
        if case.folder not in self._arrays:
            extra = (case.degraded,) if self._degraded and case.group == SOURCE_HR else ()
            self._arrays[case.folder] = (case.voxels, case.foreground, *extra)
        return self._arrays[case.folder]
