"""Tensors at the peak of an iteration, counted while it is computed, against what planning expects of them.

    python benchmarks/training_memory.py

Trainings of UDEAN in bf16 over a grid of patch, batch and width; --paper adds the paper's own size (minutes).
"""

from __future__ import annotations

import argparse
from typing import Any

from training_step import configuration, trainer_of

from udeansr.planning.configuration import Configuration
from udeansr.planning.training_size import PAPER, training_memory
from udeansr.speed.live_tensors import peak_of_iterations
from udeansr.training.timing import random_batch

BASE: dict[str, Any] = {
    "patch_size": (32, 32), "batch_size": 4, "features": 32, "groups": 2, "blocks": 2, "discriminator_features": 16,
}  # fmt: skip
GRID: tuple[dict[str, Any], ...] = (
    {},
    {"batch_size": 2},
    {"batch_size": 16},
    {"patch_size": (48, 48)},
    {"patch_size": (64, 64)},
    {"patch_size": (96, 96)},
    {"features": 16},
    {"features": 64},
    {"discriminator_features": 48},
    {"groups": 5, "blocks": 5},
    {"scale": "x2x2x1", "hr_spacing_mm": (2.0, 1.0, 1.0)},
    {"scale": "x4x4x4", "hr_spacing_mm": (0.5, 0.5, 0.5)},
    {"patch_size": (64, 64), "features": 64, "discriminator_features": 64},
)


def peak(name: str, chosen: Configuration) -> int:
    """Bytes of tensors at the peak, with the adversaries at play."""
    return peak_of_iterations(lambda: trainer_of(name, 0.9, chosen, "bf16"), random_batch(chosen), (0.9,))[1]


def main() -> None:
    """Print a table, a line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paper", action="store_true", help="the paper's size as well, once and with a batch of 2")
    options = parser.parse_args()
    grid = [BASE | changes for changes in GRID]
    if options.paper:
        grid += [{name: getattr(PAPER, name) for name in BASE} | {"batch_size": count} for count in (2, 8)]
    print("| size | planned, MB | `udean_paper`, MB | planned / real | `udean`, MB | planned / real |")
    print("|---|---|---|---|---|---|")
    for values in grid:
        chosen = configuration(PAPER).changed(**values)
        planned = training_memory(chosen.task, chosen.size).tensors_gb * 1024
        real = [peak(name, chosen) / 2**20 for name in ("udean_paper", "udean")]
        differs = [f"{name} {value}" for name, value in values.items() if BASE.get(name) != value] or ["base"]
        cells = " | ".join(f"{one:.0f} | {planned / one:.2f}" for one in real)
        print(f"| {', '.join(differs)} | {planned:.0f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
