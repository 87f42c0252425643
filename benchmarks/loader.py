"""Batches a second of our loader, of a plain torch DataLoader and of batchgenerators, on the same arrays, in turns.

    python benchmarks/loader.py

All three draw slabs of unpaired cohorts at the paper's size, mirror them, turn them by right angles and change their
gain; ours once more with the LR that belongs to the HR, as methods want it that learn from the measured degradation.
Beside them stands what the step of two methods needs on this machine, at the size of the CPU preset.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from batches import CONFIGURATION, make_case
from batchgenerators.dataloading.data_loader import SlimDataLoaderBase
from batchgenerators.dataloading.multi_threaded_augmenter import MultiThreadedAugmenter
from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter
from batchgenerators.transforms.abstract_transforms import Compose
from batchgenerators.transforms.color_transforms import BrightnessMultiplicativeTransform
from batchgenerators.transforms.spatial_transforms import MirrorTransform, Rot90Transform
from torch.utils.data import DataLoader, IterableDataset
from training_step import configuration, trainer_of

from udeansr.batches.loader import slab_batches
from udeansr.planning.training_size import CPU
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase
from udeansr.training.timing import random_batch

Cohorts = dict[str, list[PreprocessedCase]]

WARM = 10
"""Batches that are not timed: by then workers are at work, and nothing is left that they made ahead."""

SIZE, SLAB = CONFIGURATION.size.batch_size, (CONFIGURATION.task.slab_slices, *CONFIGURATION.size.patch_size)
FINE = tuple(n * s for n, s in zip(SLAB, CONFIGURATION.task.slab_factors.zyx, strict=True))
SHAPES = {"hr": FINE, "lr": SLAB}


Arrays = dict[str, list[tuple[np.ndarray, np.ndarray]]]
"""Voxels and foreground of each case, mapped once as ours are."""


def mapped(cohorts: Cohorts) -> Arrays:
    return {name: [(case.voxels, case.foreground) for case in cases] for name, cases in cohorts.items()}


def draw(cases: list[tuple[np.ndarray, np.ndarray]], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A slab around a foreground voxel of one of the cases; not copied."""
    voxels, foreground = cases[rng.integers(len(cases))]
    centre = foreground[rng.integers(len(foreground))]
    starts = [min(max(int(c) - n // 2, 0), m - n) for c, n, m in zip(centre, shape, voxels.shape, strict=True)]
    return voxels[tuple(slice(a, a + n) for a, n in zip(starts, shape, strict=True))]


class PlainSlabs(IterableDataset):
    """Pairs of slabs, drawn and augmented one by one, as a tutorial has it; torch stacks them."""

    def __init__(self, cohorts: Cohorts) -> None:
        self._arrays = mapped(cohorts)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        rng = np.random.default_rng()
        while True:
            gain = float(rng.uniform(0.9, 1.1))
            made = {}
            for name, cases in self._arrays.items():
                slab = torch.from_numpy(np.array(draw(cases, SHAPES[name], rng)))
                slab = torch.flip(slab, [axis for axis in range(3) if rng.random() < 0.5])
                made[name] = gain * torch.rot90(slab, int(rng.integers(4)), (1, 2))
            yield made


class StackedSlabs(SlimDataLoaderBase):
    """Batches for batchgenerators' transforms, which augment them."""

    def __init__(self, cohorts: Cohorts) -> None:
        super().__init__(mapped(cohorts), SIZE)
        self._rng = np.random.default_rng()

    def generate_train_batch(self) -> Any:
        arrays: Any = self._data
        return {
            name: np.stack([draw(cases, SHAPES[name], self._rng)[None] for _ in range(SIZE)])
            for name, cases in arrays.items()
        }


def ours(cohorts: Cohorts, workers: int, count: int) -> Iterator[Any]:
    return slab_batches(*cohorts.values(), configuration=CONFIGURATION, seed=1, first=0, count=count, workers=workers)


def ours_with_pairs(cohorts: Cohorts, workers: int, count: int) -> Iterator[Any]:
    numbers = {"seed": 1, "first": 0, "count": count, "workers": workers}
    return slab_batches(*cohorts.values(), configuration=CONFIGURATION, degraded=True, **numbers)


def plain_torch(cohorts: Cohorts, workers: int, count: int) -> Iterator[Any]:
    return iter(DataLoader(PlainSlabs(cohorts), batch_size=SIZE, num_workers=workers))


def batchgenerators(cohorts: Cohorts, workers: int, count: int) -> Iterator[Any]:
    transforms = Compose(
        [
            transform
            for name in cohorts
            for transform in (
                MirrorTransform(data_key=name),
                Rot90Transform(num_rot=(0, 1, 2, 3), axes=(1, 2), data_key=name, p_per_sample=1),
                BrightnessMultiplicativeTransform((0.9, 1.1), data_key=name),
            )
        ]
    )
    data = StackedSlabs(cohorts)
    if workers == 0:
        return iter(SingleThreadedAugmenter(data, transforms))
    return MultiThreadedAugmenter(data, transforms, workers, num_cached_per_queue=2, pin_memory=False)


LOADERS: dict[str, Callable[[Cohorts, int, int], Iterator[Any]]] = {
    "ours": ours,
    "ours, with the LR of each HR and fresh noise": ours_with_pairs,
    "torch DataLoader": plain_torch,
    "batchgenerators": batchgenerators,
}


def batches_a_second(batches: Iterator[Any], count: int, clock: Callable[[], float] = time.perf_counter) -> float:
    for _ in range(WARM):
        next(batches)
    begun = clock()
    for _ in range(count):
        next(batches)
    seconds = clock() - begun
    if isinstance(batches, MultiThreadedAugmenter):
        batches._finish()
    return count / seconds


def iterations_a_second(name: str) -> float:
    """What the step needs: the fastest of some iterations, in the precision that this machine is fastest in."""
    chosen = configuration(CPU)
    trainer, batch, times = trainer_of(name, 0.9, chosen, "bf16"), random_batch(chosen), []
    for number in range(5):
        begun = time.perf_counter()
        trainer.play(batch, number)
        times.append(time.perf_counter() - begun)
    return 1 / min(times)


def main() -> None:
    """Measure all loaders with each number of workers, round by round, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=100, help="batches of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of all of them in turns")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="processes that make batches")
    options = parser.parse_args()
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cohorts = {
            name: [make_case(Path(folder), group, seed, (170, 256, 256)) for seed in range(4)]
            for name, group in (("hr", "sourceHR"), ("lr", "targetLR"))
        }
        for _ in range(options.rounds):
            for workers in options.workers:
                for name, loader in LOADERS.items():
                    batches = loader(cohorts, workers, options.batches + WARM)
                    found.setdefault((name, workers), []).append(batches_a_second(batches, options.batches))
                    del batches
        own = {
            name: batches_a_second(loader(cohorts, 0, options.batches + WARM), options.batches, time.process_time)
            for name, loader in LOADERS.items()
        }
    print("| batches a second | " + " | ".join(f"{workers} workers" for workers in options.workers) + " |")
    print("|---" * (1 + len(options.workers)) + "|")
    for name in LOADERS:
        cells = [found[name, workers] for workers in options.workers]
        print(f"| {name} | " + " | ".join(f"{median(s):.0f} ({min(s):.0f} to {max(s):.0f})" for s in cells) + " |")
    for name, count in own.items():
        print(f"{name}: {1000 / count:.1f} ms of a processor a batch")
    for name in ("supervised", "udean"):
        print(f"the step of {name} at the size of the CPU preset needs {iterations_a_second(name):.1f}")


if __name__ == "__main__":
    main()
