"""Milliseconds that the loader takes for a batch, with and without workers: python benchmarks/batches.py."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from udeansr.batches.loader import slab_batches
from udeansr.image.volume import Geometry
from udeansr.planning.configuration import Configuration
from udeansr.preprocessing.case_folder import CaseRecord, write_case
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase

CONFIGURATION = Configuration.of(
    name="x2x2x1", scale="x2x2x1", lr_spacing_mm=(1.0, 2.0, 2.0), hr_spacing_mm=(1.0, 1.0, 1.0),
    slab_slices=3, patch_size=(64, 64), rotate90=True, batch_size=8, features=64, groups=5, blocks=5,
    discriminator_features=64, epochs=1, iterations_per_epoch=1,
)  # fmt: skip


def make_case(folder: Path, group: str, seed: int, shape: tuple[int, int, int]) -> PreprocessedCase:
    """A case of random voxels, all of them foreground, with every second one in the plane as its LR."""
    rng = np.random.default_rng(seed)
    foreground = np.stack([rng.integers(n, size=10_000) for n in shape], axis=1).astype(np.int32)
    case, geometry = folder / group / str(seed), Geometry(shape, (1.0, 1.0, 1.0))
    voxels = rng.random(shape, dtype=np.float32)
    degraded = voxels[:, ::2, ::2] if group == "sourceHR" else None
    write_case(case, voxels, foreground, CaseRecord(geometry, 1.0, 1.0), degraded)
    return PreprocessedCase(str(seed), group, case, geometry, 1.0, 1.0)


def milliseconds_a_batch(cases: tuple[list[PreprocessedCase], ...], workers: int, count: int) -> float:
    """The mean after the first ten batches, by when workers are at work and have none left that they made ahead."""
    batches = slab_batches(*cases, configuration=CONFIGURATION, seed=1, first=0, count=count + 10, workers=workers)
    for _ in range(10):
        next(batches)
    begun = time.perf_counter()
    for _ in batches:
        pass
    return 1000 * (time.perf_counter() - begun) / count


def main() -> None:
    """Measure each number of workers in turn, three times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=200, help="batches of each measurement")
    parser.add_argument("--cases", type=int, default=4, help="cases of each cohort, of 170 x 256 x 256 voxels")
    options = parser.parse_args()
    shape = (170, 256, 256)
    with tempfile.TemporaryDirectory() as folder:
        cases = tuple(
            [make_case(Path(folder), group, seed, shape) for seed in range(options.cases)]
            for group in ("sourceHR", "targetLR")
        )
        rounds = [{n: milliseconds_a_batch(cases, n, options.batches) for n in (0, 1, 2)} for _ in range(3)]
    for workers in rounds[0]:
        times = sorted(one[workers] for one in rounds)
        print(f"workers {workers}: {times[1]:5.1f} ms a batch ({times[0]:.1f} to {times[2]:.1f})")


if __name__ == "__main__":
    main()
