"""Many predictions and a long training in one process: memory, open files, threads and shared memory stay flat.

    python benchmarks/reliability/load.py --calls 10000 --epochs 200 -o load/

A tiny network is trained on the example for so many epochs, each with its validation and checkpoints; then a
``SuperResolver`` of it predicts so many small volumes, a tenth of them with uncertainty. What the process holds is read
ten times over each of the two. Status 1 if memory grew by more than 3 % between the second and the last reading, or
files, threads or shared memory at all.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from udeansr.cli.plan_and_preprocess import plan_and_preprocess
from udeansr.methods import parse_settings
from udeansr.planning.plan import Plan
from udeansr.prediction.super_resolver import SuperResolver
from udeansr.training.log import EpochRecord, RunLog
from udeansr.training.train import RunSettings, train

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example"
NAME, CONFIGURATION = "Dataset001_BrainT1w", "x2x2x2"
READINGS, GROWTH = 10, 0.03
SHAPE = (6, 24, 20)


@dataclass(frozen=True)
class Held:
    """What this process holds.

    Attributes:
        memory_mb: resident.
        files, threads: open, running.
        shared: files in the shared memory of the machine.
    """

    memory_mb: float
    files: int
    threads: int
    shared: int

    @classmethod
    def now(cls) -> Held:
        """Read it, after what is free has been collected."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        shared = len(list(Path("/dev/shm").iterdir()))
        threads = len(list(Path("/proc/self/task").iterdir()))
        files = len(list(Path("/proc/self/fd").iterdir()))
        return cls(pages * os.sysconf("SC_PAGESIZE") / 2**20, files, threads, shared)


def watched(what: str, times: int, act: Callable[[Callable[[int], None]], None]) -> bool:
    """Do something many times and print what is held meanwhile; returns whether it stayed flat.

    Args:
        what: for the table.
        times: how often it is done.
        act: does it, calling what it is given with the number that is done.
    """
    readings: list[Held] = []

    def look(done: int) -> None:
        if done % max(1, times // READINGS) == 0:
            held = Held.now()
            readings.append(held)
            print(f"| {what} | {done} | {held.memory_mb:.0f} | {held.files} | {held.threads} | {held.shared} |")
            sys.stdout.flush()

    act(look)
    second, last = readings[1], readings[-1]
    no_more = (last.files <= second.files, last.threads <= second.threads, last.shared <= second.shared)
    return all(no_more) and last.memory_mb <= second.memory_mb * (1 + GROWTH)


def long_training(folder: Path, epochs: int, look: Callable[[int], None]) -> Path:
    """Train a tiny network on the example for many epochs; returns its model."""
    preprocessed = folder / "preprocessed"
    with redirect_stdout(None):
        plan_and_preprocess([NAME], memory_gb=0, processes=1, raw=EXAMPLE, preprocessed=preprocessed, preprocess=True)
    plan = Plan.load(preprocessed / NAME / "plans.json")
    configuration = plan.configuration(CONFIGURATION)
    size = replace(configuration.size, features=8, groups=1, blocks=1, batch_size=2)
    plan = replace(plan, configurations={CONFIGURATION: replace(configuration, size=size)})
    run = RunSettings(epochs=epochs, iterations_per_epoch=2, device="cpu", precision="fp32", validation_cases=1)
    record = RunLog.record

    def recorded(self: RunLog, entry: EpochRecord) -> None:
        record(self, entry)
        look(entry.epoch)

    RunLog.record = recorded  # type: ignore[method-assign]
    settings = parse_settings("supervised", [])
    return train(preprocessed / NAME, plan, CONFIGURATION, "supervised", settings, run, folder / "run", "overwrite")


def many_predictions(model: Path, calls: int, look: Callable[[int], None]) -> None:
    """Predict small volumes of noise, one after the other."""
    plain, careful = (SuperResolver.load(model, device="cpu", uncertainty=wanted) for wanted in (False, True))
    spacing = plain.predictor.model.configuration.task.lr_spacing_mm  # type: ignore[union-attr]
    draw = np.random.default_rng(0)
    for call in range(calls + 1):
        resolver = careful if call % 10 == 9 else plain
        resolver(draw.random(SHAPE, dtype=np.float32) * 1000, spacing_mm=spacing)
        look(call)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10000)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for arrays and checkpoints")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    print("| what | done | memory MB | files | threads | in shared memory |\n|---|---|---|---|---|---|")
    models: list[Path] = []
    trained = watched(
        "epochs", options.epochs, lambda look: models.append(long_training(options.output, options.epochs, look))
    )
    predicted = watched("predictions", options.calls, lambda look: many_predictions(models[0], options.calls, look))
    print(f"training {'stayed flat' if trained else 'GREW'}; predictions {'stayed flat' if predicted else 'GREW'}")
    sys.exit(0 if trained and predicted else 1)


if __name__ == "__main__":
    main()
