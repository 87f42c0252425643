"""Batches drawn from preprocessed cases, in this process or by the worker processes of a torch DataLoader."""

from __future__ import annotations

import pickle
import signal
import threading
import traceback
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from udeansr.batches.augmentation import draw_gain, mirror_and_rotate
from udeansr.batches.batch import Batch
from udeansr.batches.slabs import draw_pair, draw_slab, draw_view, seen
from udeansr.degradation.measured_degradation import add_rician_noise
from udeansr.errors import UdeansrError
from udeansr.parallel import end_with_parent
from udeansr.paths import SOURCE_HR
from udeansr.planning.configuration import Configuration
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase


def slab_batches(
    hr_cases: Sequence[PreprocessedCase],
    lr_cases: Sequence[PreprocessedCase],
    configuration: Configuration,
    *,
    seed: int,
    first: int,
    count: int,
    share: range | None = None,
    workers: int = 0,
    augment: bool = True,
    degraded: bool = False,
    pin_memory: bool = False,
) -> Generator[Batch, None, None]:
    """Draw batches number ``first`` to ``first + count - 1`` of a run.

    Element j of batch i depends on ``seed``, i and j alone: not on the number of workers, nor on where the run was
    continued, nor on the processes that share a batch.
    Workers end at the last batch, at an error, and when the generator is closed or forgotten.

    Args:
        hr_cases: of ``sourceHR``.
        lr_cases: of ``targetLR``.
        configuration: slab, patch, scale, batch size, rotations.
        seed: of the run.
        first: number of the first batch.
        count: how many.
        share: elements of each batch that are wanted; None: all.
        workers: processes that make batches ahead; 0 makes each when it is asked for.
        augment: mirror and rotate each slab, change the gain of each pair of slabs.
        degraded: whether batches hold the LR of their HR slabs as well, see :class:`Batch`.
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
    loader = DataLoader(
        SlabBatches(hr_cases, lr_cases, configuration, seed, augment, degraded, share),
        batch_size=None,
        sampler=range(first, first + count),
        num_workers=min(workers, count),
        worker_init_fn=_begin_worker,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # torch seeds its workers; without this it would draw from the global generator
    )
    return _in_order(loader)


class SlabBatches(Dataset):
    """All batches of a run: item i is batch number i, whichever process makes it.

    Args:
        hr_cases, lr_cases, configuration, seed, augment, degraded, share: as for :func:`slab_batches`.
    """

    def __init__(
        self,
        hr_cases: Sequence[PreprocessedCase],
        lr_cases: Sequence[PreprocessedCase],
        configuration: Configuration,
        seed: int,
        augment: bool,
        degraded: bool = False,
        share: range | None = None,
    ) -> None:
        task, size = configuration.task, configuration.size
        slab = (task.slab_slices, *size.patch_size)
        fine = tuple(n * s for n, s in zip(slab, task.slab_factors.zyx, strict=True))
        self._views = task.views
        self._cases = {"hr": hr_cases, "lr": lr_cases}
        self._slab_shapes = {"hr": fine, "lr": slab}
        self._shapes = dict(self._slab_shapes)
        if degraded:
            self._shapes["degraded"] = (task.input_slices, *size.patch_size)
        self._share, self._rotate90 = range(size.batch_size) if share is None else share, task.rotate90
        self._seed, self._augment, self._degraded = seed, augment, degraded
        self._arrays: dict[Path, tuple[np.ndarray, ...]] = {}

    def __getitem__(self, number: int) -> Batch | _Failure:
        """Batch of this number; in a worker that fails, what it failed of."""
        if get_worker_info() is None:
            return self._draw_batch(number)
        try:
            return self._draw_batch(number)
        except Exception as error:
            return _failure(error)

    def _draw_batch(self, number: int) -> Batch:
        drawn = {name: np.empty((len(self._share), *shape), np.float32) for name, shape in self._shapes.items()}
        for place, element in enumerate(self._share):
            rng = np.random.default_rng((self._seed, number, element))
            gain = np.float32(draw_gain(rng)) if self._augment else np.float32(1)
            for name, cases in self._cases.items():
                case = cases[int(rng.integers(len(cases)))]
                pair = name == "hr" and self._degraded
                slabs = self._draw_pair(case, rng) if pair else {name: self._draw_slab(case, name, rng)}
                for key, slab in slabs.items():
                    np.multiply(slab, gain, out=drawn[key][place])
        return Batch(**{name: torch.from_numpy(slabs) for name, slabs in drawn.items()})

    def _draw_slab(self, case: PreprocessedCase, name: str, rng: np.random.Generator) -> np.ndarray:
        """A slab of a case."""
        voxels, foreground = self._open(case)
        view = draw_view(self._views, rng)
        slab = draw_slab(seen(voxels, view), foreground[:, view], self._slab_shapes[name], rng)
        return mirror_and_rotate(slab, rng, self._rotate90) if self._augment else slab

    def _draw_pair(self, case: PreprocessedCase, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A slab of an HR case and the same of its LR, augmented alike, with fresh noise in the LR.

        Of LR as many scanners would give it, noise included, one is drawn: the deconvolved slices, then those as they
        are.
        """
        voxels, foreground, degraded = self._open(case)
        randomized = degraded.ndim == 5
        if randomized:
            degraded = degraded[rng.integers(len(degraded))]
        view = draw_view(self._views, rng)
        hr, lr = draw_pair(seen(voxels, view), seen(degraded, view), foreground[:, view], self._slab_shapes["lr"], rng)
        if self._augment:
            seed = int(rng.integers(2**63))
            hr, lr = (mirror_and_rotate(slab, np.random.default_rng(seed), self._rotate90) for slab in (hr, lr))
        lr = lr.reshape(-1, *lr.shape[-2:]) if randomized else add_rician_noise(lr, case.noise, rng)
        return {"hr": hr, "degraded": lr}

    def _open(self, case: PreprocessedCase) -> tuple[np.ndarray, ...]:
        """The arrays of a case, mapped once in each process."""
        if case.folder not in self._arrays:
            extra = (case.degraded,) if self._degraded and case.group == SOURCE_HR else ()
            self._arrays[case.folder] = (case.voxels, case.foreground, *extra)
        return self._arrays[case.folder]


def _in_order(loader: DataLoader[Batch | _Failure]) -> Generator[Batch, None, None]:
    """The batches of a loader; what its workers fail of is raised here."""
    items = _iterate(loader)
    try:
        for _ in range(len(loader)):
            # Raised from here, an error holds nothing of torch's iterator, so that its workers end below.
            item = next(items) if loader.num_workers == 0 else _next_of_workers(items)
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        del items  # torch ends the workers with its iterator


def _iterate(loader: DataLoader[Batch | _Failure]) -> Iterator[Batch | _Failure]:
    """Begin to iterate over a loader; SIGCHLD keeps its handler.

    Torch's handler raises in whatever the process is doing when a worker dies. Without it, the loader finds out itself
    while it waits for a batch, within 5 s.
    """
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        return iter(loader)
    handler = signal.getsignal(signal.SIGCHLD)
    try:
        return iter(loader)
    finally:
        signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)


def _begin_worker(number: int) -> None:
    """Called by torch in a new worker: Ctrl-C is for the trainer to answer, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _next_of_workers(items: Iterator[Batch | _Failure]) -> Batch | _Failure:
    """The next item, or why no more will come."""
    try:
        return next(items)
    except (RuntimeError, OSError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        return _Failure(
            UdeansrError(
                f"a worker process that makes batches was lost ({reason}); memory or shared memory ran out, or "
                "somebody stopped it; run again with fewer workers, 0 for none: --workers 0"
            )
        )


@dataclass(frozen=True)
class _Failure:
    """What a worker gives in place of a batch, so that an error reaches the trainer as the exception that it is."""

    error: Exception


def _failure(error: Exception) -> _Failure:
    error.add_note(f"The worker's own traceback:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        # Some exceptions cannot go to another process as they are; their text can.
        return _Failure(RuntimeError("\n".join([f"{type(error).__name__}: {error}", *error.__notes__])))
    return _Failure(error)
