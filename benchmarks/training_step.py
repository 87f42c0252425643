"""What an iteration launches, and how long it takes: the networks of the paper, batches of noise.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --seconds --against OTHER_TREE

Launches are the operations that torch dispatches, views and empty memory left out; they depend on the depth of the
networks alone, so that narrow ones are counted, in bf16, optimisers left out and with them. Another tree of this
repository, an older one for example, is measured by a process of its own, in turns with this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from udeansr.methods import build_method, parse_settings
from udeansr.planning.configuration import Configuration
from udeansr.planning.training_size import CPU, PAPER, TrainingSize
from udeansr.training.timing import random_batch
from udeansr.training.trainer import Trainer

STEPS = (("udean", 0.0), ("udean", 0.9), ("udean_paper", 0.0), ("supervised", 0.0))
"""Methods, each with a part of the training that is done: udean begins without adversaries."""

NOTHING = {f"aten::{name}" for name in ("detach", "_unsafe_view", "_reshape_alias", "lift_fresh")}


class Launches(TorchDispatchMode):
    """Counts what is computed."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name
        self.count += not (function.is_view or name in NOTHING or "empty" in name)
        return function(*args, **(kwargs or {}))


def configuration(size: TrainingSize, **changes: Any) -> Configuration:
    """That of x2x2x2, slabs of three slices."""
    return Configuration.of(
        name="x2x2x2", scale="x2x2x2", lr_spacing_mm=(2.0, 2.0, 2.0), hr_spacing_mm=(1.0, 1.0, 1.0),
        slab_slices=3, rotate90=True, **{**vars(size), **changes},
    )  # fmt: skip


def trainer_of(name: str, progress: float, chosen: Configuration, precision: str) -> Trainer:
    torch.manual_seed(0)
    method = build_method(name, chosen, parse_settings(name, []))
    method.progress = progress
    return Trainer(method, learning_rate=1e-3, device=torch.device("cpu"), precision=precision)


def launches(name: str, progress: float, optimiser: bool) -> int:
    narrow = configuration(PAPER, patch_size=(32, 32), batch_size=2, features=16, discriminator_features=4)
    trainer, batch = trainer_of(name, progress, narrow, "bf16"), random_batch(narrow)
    if not optimiser:
        for one in trainer._optimizers.values():
            one.step = lambda *arguments, **options: None
    trainer.play(batch, 0)
    with Launches() as counted:
        trainer.play(batch, 1)
    return counted.count


def seconds(name: str, progress: float, iterations: int) -> float:
    """Median of an iteration at the size of the CPU preset, fp32; the first is not counted."""
    chosen = configuration(CPU)
    trainer, batch, times = trainer_of(name, progress, chosen, "fp32"), random_batch(chosen), []
    for number in range(iterations + 1):
        began = time.perf_counter()
        trainer.play(batch, number)
        times.append(time.perf_counter() - began)
    return sorted(times[1:])[iterations // 2]


def measured(tree: Path, what: list[str]) -> Any:
    """What this script finds in a tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, __file__, "--json", *what]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", action="store_true", help="time iterations at the size of the CPU preset as well")
    parser.add_argument("-n", "--iterations", type=int, default=5, help="timed of each method in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of both trees in turns")
    parser.add_argument("--against", type=Path, help="another tree of this repository")
    parser.add_argument("--json", choices=("launches", "seconds"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    count = ["-n", str(arguments.iterations)]
    if arguments.json == "launches":
        print(json.dumps([[launches(*step, optimiser) for optimiser in (False, True)] for step in STEPS]))
        return
    if arguments.json:
        print(json.dumps([seconds(*step, arguments.iterations) for step in STEPS]))
        return
    trees = [Path(__file__).parents[1], *([arguments.against] if arguments.against else [])]
    for tree in trees:
        for (name, progress), (without, with_them) in zip(STEPS, measured(tree, ["launches"]), strict=True):
            print(f"{tree}: {name} at {progress}: {without} launches, {with_them} with optimisers", flush=True)
    count_rounds = arguments.rounds if arguments.seconds else 0
    rounds = [[measured(tree, ["seconds", *count]) for tree in trees] for _ in range(count_rounds)]
    for number, (name, progress) in enumerate(STEPS) if arguments.seconds else ():
        ratios = sorted(one[-1][number] / one[0][number] for one in rounds)
        times = sorted(one[0][number] for one in rounds)
        print(
            f"{name} at {progress}: {times[len(times) // 2]:.3f} s an iteration; the other tree takes "
            f"{ratios[len(ratios) // 2]:.2f} times as long ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
