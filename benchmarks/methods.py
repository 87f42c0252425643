"""What each method costs: weights, FLOP of a slab, seconds of an iteration and of a slab.

    python benchmarks/methods.py -p udeansr_preprocessed/Dataset001_BrainT1w -c x2x2x2

All methods of a plan's configuration, on batches of noise, in one run on one machine: it is the ratios that count.
Adversaries play as they do when a method trains; of a method in stages, or with a warm start, each part is timed. FLOP
are counted by torch (a multiplication and an addition are two).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from udeansr.batches.batch import Batch
from udeansr.device import autocast, choose_device, choose_precision, wait_for
from udeansr.methods import METHODS, build_method, parse_settings
from udeansr.methods.method import Method
from udeansr.planning.plan import Plan
from udeansr.training.timing import random_batch
from udeansr.training.trainer import Trainer


def deployed_weights(method: Method, slab: torch.Tensor) -> int:
    """Weights that super-resolution uses: those of which its answer has a gradient."""
    method.zero_grad(set_to_none=True)
    method.super_resolve(slab).sum().backward()
    count = sum(weights.numel() for weights in method.parameters() if weights.grad is not None)
    method.zero_grad(set_to_none=True)
    return count


def seconds_an_iteration(trainer: Trainer, batch: Batch, iterations: int) -> float:
    """Median seconds of an iteration; the first is not counted."""
    times = []
    for number in range(iterations + 1):
        began = time.perf_counter()
        trainer.play(batch, number)
        wait_for(trainer.device)
        times.append(time.perf_counter() - began)
    return sorted(times[1:])[iterations // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-p", "--preprocessed", type=Path, required=True, help="folder with the plans.json")
    parser.add_argument("-c", "--configuration", required=True)
    parser.add_argument("-n", "--iterations", type=int, default=5, help="timed in each stage")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    configuration = Plan.load(arguments.preprocessed / "plans.json").configuration(arguments.configuration)
    device = choose_device(arguments.device)
    precision = choose_precision("auto", device)
    batch = random_batch(configuration)
    names = [name for name, kind in METHODS.items() if kind.players and kind.needs_cohort]
    print("| method | weights, trained | deployed | GFLOP a slab | seconds an iteration | ms a slab |")
    print("|---|---|---|---|---|---|")
    for name in names:
        torch.manual_seed(0)
        method = build_method(name, configuration, parse_settings(name, [])).to(device)
        slab = batch.lr[:1].to(device)
        deployed = deployed_weights(method, slab)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            method.super_resolve(slab)
        trainer = Trainer(method, learning_rate=method.learning_rate, device=device, precision=precision)
        times = []
        starts = {*method.stage_starts, getattr(method.settings, "warm_start", 0.0)}
        for start in sorted(starts):
            method.progress = start
            times.append(seconds_an_iteration(trainer, batch, arguments.iterations))
        with torch.inference_mode(), autocast(device, precision):
            method.super_resolve(batch.lr.to(device))
            began = time.perf_counter()
            method.super_resolve(batch.lr.to(device)).sum().item()
            each = (time.perf_counter() - began) / len(batch.lr)
        trained = sum(weights.numel() for weights in method.parameters())
        shown = " / ".join(f"{seconds:.3f}" for seconds in times)
        flop = counter.get_total_flops() / 1e9
        print(f"| {name} | {trained:,} | {deployed:,} | {flop:.2f} | {shown} | {1000 * each:.1f} |", flush=True)


if __name__ == "__main__":
    main()
