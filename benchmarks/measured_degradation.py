"""How near a degradation that is measured without pairs comes to the truth, on simulated LR.

python benchmarks/measured_degradation.py HR_FOLDER --scale x2x2x1 --subjects 12 12 --seed 1 2 3
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from udeansr.degradation.kspace import DEGRADATIONS, Degradation
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.simulated_scan import Recipe
from udeansr.degradation.simulation import SIMULATION_FILE, simulate
from udeansr.degradation.subjects import Counts
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import Scale, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.normalization import intensity_scale
from udeansr.image.volume import Volume
from udeansr.planning.fingerprint import Fingerprint, extract_fingerprints
from udeansr.planning.raw_dataset import load_raw_dataset


def measure_dataset(folder: Path) -> Fingerprint:
    """What planning finds in a raw dataset."""
    return extract_fingerprints(load_raw_dataset(folder), os.cpu_count() or 1)[0][0]


def true_noise(folder: Path) -> float:
    """What was added to the target LR, in normalised intensity, mean of its subjects; with the rounding to integers."""
    scans = json.loads((folder / SIMULATION_FILE).read_text())["scans"]["target"]
    sigmas = []
    for path in list_images(folder / "targetLR"):
        voxels = _read(path).voxels
        rounding = 1 / 12 if np.issubdtype(voxels.dtype, np.integer) else 0.0
        sigma = np.sqrt(scans[case_name(path)]["noise_sigma"] ** 2 + rounding)
        sigmas.append(sigma / intensity_scale(voxels))
    return float(np.mean(sigmas))


def errors(measured: MeasuredDegradation, degradation: Degradation) -> list[float]:
    """The largest error of the transfer function along Z, Y, X."""
    frequencies = np.asarray(measured.frequencies)
    truth = [degradation.transfer(frequencies, axis) for axis in range(3)]
    return [float(np.abs(np.asarray(measured.transfer[axis]) - truth[axis]).max()) for axis in range(3)]


def _read(path: Path) -> Volume:
    volume = read_volume(path)
    return reorient(volume, slab_orientation(volume.geometry))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, help="folder of HR scans, or a simulated dataset to measure as it is")
    parser.add_argument("--scale", default="x2x2x1")
    parser.add_argument("--subjects", type=int, nargs=2, default=(12, 12), metavar=("HR", "LR"))
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--degradation", default="shifted", choices=DEGRADATIONS)
    arguments = parser.parse_args()
    print("| seed | error of H, Z | Y | X | noise (true) | of it | gain | residual | width Z, Y, X (mm) | p |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    if (arguments.hr / SIMULATION_FILE).is_file():
        simulation = json.loads((arguments.hr / SIMULATION_FILE).read_text())
        _row(arguments.hr, Degradation(**simulation["degradation"]), simulation["seed"])
        return
    scale, degradation = Scale.parse(arguments.scale), DEGRADATIONS[arguments.degradation]
    source, target = arguments.subjects
    for seed in arguments.seed:
        with tempfile.TemporaryDirectory() as folder:
            dataset = Path(folder) / "Dataset001_Measured"
            counts = Counts(source, target, 0, 0)
            simulate(
                arguments.hr, dataset, Recipe(scale, degradation, seed=seed), counts, processes=os.cpu_count() or 1
            )
            _row(dataset, degradation, seed)


def _row(dataset: Path, degradation: Degradation, seed: int) -> None:
    fingerprint, truth = measure_dataset(dataset), true_noise(dataset)
    measured, p = fingerprint.degradation, fingerprint.degradation_p
    of_axes = errors(measured, degradation)
    cells = [
        str(seed),
        *(f"{error:.3f}" for error in of_axes),
        f"{measured.noise:.4f} ({truth:.4f})",
        f"{measured.noise / truth:.2f}" if truth else "-",
        f"{measured.gain:.2f}",
        f"{measured.residual:.3f}",
        ", ".join(f"{mm:.2f}" for mm in measured.width_mm),
        "-" if p is None else f"{p:.3f}",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
