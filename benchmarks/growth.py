"""How time and memory grow with patch, batch, width and the number of cases.

    python benchmarks/growth.py --data ds002748_t1w

An iteration of UDEAN in bf16 with its adversaries at play; the loader over more and more cases; preprocessing of more
and more volumes of --data, a folder of HR that is its own target LR after truncation, in turns with reading the same
files and writing as many bytes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from batches import CONFIGURATION, make_case
from training_memory import BASE
from training_step import configuration, trainer_of

from udeansr.batches.loader import slab_batches
from udeansr.degradation.kspace import truncate_kspace
from udeansr.files import whole_file
from udeansr.image.cropping import crop
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale, lr_geometry
from udeansr.image.volume import Volume
from udeansr.parallel import parallel_map
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.plan import Plan
from udeansr.planning.plan_dataset import plan_dataset
from udeansr.planning.raw_dataset import RawDataset, load_raw_dataset
from udeansr.planning.training_size import PAPER
from udeansr.preprocessing.preprocessor import preprocess
from udeansr.speed.live_tensors import peak_of_iterations
from udeansr.training.timing import random_batch

GRID: dict[str, tuple[Any, ...]] = {
    "patch_size": ((32, 32), (48, 48), (64, 64), (96, 96)),
    "batch_size": (2, 4, 8, 16),
    "features": (16, 32, 64),
    "blocks": (1, 2, 4),
}
CASES, BATCHES = (1, 10, 60, 200), 100
SCALE = Scale(1, 2, 2)


def iteration(name: str, value: Any, rounds: int) -> tuple[float, float]:
    """Seconds of an iteration, the fastest of some, and MB of tensors at its peak."""
    chosen = configuration(PAPER).changed(**{**BASE, name: value})
    trainer, peak = peak_of_iterations(lambda: trainer_of("udean", 0.9, chosen, "bf16"), random_batch(chosen), (0.9,))
    batch, times = random_batch(chosen), []
    for number in range(rounds):
        begun = time.perf_counter()
        trainer.play(batch, number)
        times.append(time.perf_counter() - begun)
    return min(times), peak / 2**20


def show_iterations(rounds: int) -> None:
    print("| what differs from the base | an iteration, s | tensors, MB |\n|---|---|---|")
    for name, values in GRID.items():
        for value in values:
            seconds, megabytes = iteration(name, value, rounds)
            print(f"| {name} {value} | {seconds:.3f} | {megabytes:.0f} |", flush=True)


def show_cases(rounds: int) -> None:
    """Milliseconds of this process' own time for a batch, by the number of cases in each cohort, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        cohorts = [
            [make_case(Path(folder), group, seed, (16, 160, 160)) for seed in range(max(CASES))]
            for group in (SOURCE_HR, TARGET_LR)
        ]
        drawn = {
            count: slab_batches(
                *(c[:count] for c in cohorts), configuration=CONFIGURATION, seed=1, first=0, count=10**6
            )
            for count in CASES
        }
        for count, batches in drawn.items():  # each case is opened, and drawn from eight times
            for _ in range(count):
                next(batches)
        found: dict[int, list[float]] = {count: [] for count in CASES}
        for _ in range(rounds):
            for count, batches in drawn.items():
                begun = time.process_time()
                for _ in range(BATCHES):
                    next(batches)
                found[count].append(1000 * (time.process_time() - begun) / BATCHES)
    print("\n| cases in each cohort | a batch, ms |\n|---|---|")
    for count, times in found.items():
        print(f"| {count} | {median(times):.2f} ({min(times):.2f} to {max(times):.2f}) |")


def make_raw(data: Path, count: int, folder: Path) -> RawDataset:
    """A raw dataset of the first volumes of a folder and of the LR that truncation makes of them."""
    for path in sorted(data.glob("*.nii.gz"))[:count]:
        hr = folder / SOURCE_HR / path.name
        hr.parent.mkdir(parents=True, exist_ok=True)
        hr.symlink_to(path.resolve())
        volume = read_volume(path)
        sides = tuple(n - n % factor for n, factor in zip(volume.voxels.shape, SCALE.zyx, strict=True))
        even = crop(volume, ((0, 0, 0), sides))  # type: ignore[arg-type]
        lr = np.maximum(truncate_kspace(even.voxels, SCALE), 0)
        write_volume(Volume(lr, lr_geometry(even.geometry, SCALE)), folder / TARGET_LR / path.name)
    return load_raw_dataset(folder)


def read_and_write(paths: tuple[Path, Path], target: Path) -> None:
    """Read an image and write as many bytes as its arrays have, and nothing else."""
    raw, arrays = paths
    read_volume(raw)
    for array in sorted(arrays.glob("*.npy")):
        shape = np.load(array, mmap_mode="r").shape
        own = target / raw.parent.name / raw.name
        own.mkdir(parents=True, exist_ok=True)
        with whole_file(own / array.name) as partial_file:
            np.save(partial_file, np.ones(shape, np.float32))


def show_preprocessing(data: Path, counts: list[int], processes: int, rounds: int) -> None:
    print(
        "\n| volumes, HR and LR | planning, s | preprocessing, s | reading and writing, s | ratio | of processor time |"
    )
    print("|---|---|---|---|---|---|")
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            raw = make_raw(data, count, root / "Dataset001_Growth")
            begun = time.perf_counter()
            plan = plan_dataset(raw, root / "planned", None, processes=processes).plan
            planning = time.perf_counter() - begun
            pairs = [preprocessing_and_copying(raw, plan, root, processes, number) for number in range(rounds)]
        first, second = (median(clocks[0] for clocks in side) for side in zip(*pairs, strict=True))
        cells = []
        for clock in (0, 1):
            ratios = [one[clock] / other[clock] for one, other in pairs]
            cells.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"| {2 * count} | {planning:.1f} | {first:.1f} | {second:.1f} | {' | '.join(cells)} |", flush=True)


def preprocessing_and_copying(
    raw: RawDataset, plan: Plan, root: Path, processes: int, number: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of both, one after the other, into new folders: seconds, and seconds of the processors."""
    (configuration,) = plan.configurations
    begun = clocks()
    preprocess(raw, plan, configuration, root / f"made{number}", processes)
    between = clocks()
    made = root / f"made{number}" / configuration
    images = [(case.path, made / group / case.name) for group in (SOURCE_HR, TARGET_LR) for case in raw.groups[group]]
    parallel_map(partial(read_and_write, target=root / f"copied{number}"), images, processes, "read and write")
    done = clocks()
    return (between[0] - begun[0], between[1] - begun[1]), (done[0] - between[0], done[1] - between[1])


def clocks() -> tuple[float, float]:
    """The time, and what this process and those that it has ended have computed."""
    times = os.times()
    return time.perf_counter(), times.user + times.system + times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of HR in NIfTI; without it nothing is preprocessed")
    parser.add_argument("--volumes", type=int, nargs="+", default=[2, 5, 15, 60], help="of --data")
    parser.add_argument("--processes", type=int, default=2, help="that preprocess")
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed in turns")
    parts = ("iterations", "cases", "preprocessing")
    parser.add_argument("--only", choices=parts, nargs="+", default=parts, help="what is measured")
    options = parser.parse_args()
    if "iterations" in options.only:
        show_iterations(options.rounds)
    if "cases" in options.only:
        show_cases(options.rounds)
    if "preprocessing" in options.only and options.data is not None:
        show_preprocessing(options.data, options.volumes, options.processes, options.rounds)


if __name__ == "__main__":
    main()
