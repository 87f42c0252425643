"""Bright balls put into scans of thick slices: what of their contrast is left when they are thickened and restored.

Each scan is thickened along an axis of its plane, as `udeansr_evaluate --in-plane` does, and teaches `self` as it is.
Then balls of half the tissue's level, which no training has seen, are put into the scan where it is bright all around;
it is thickened again and restored by what was learned, and by cubic interpolation. Contrast: mean of the inner three
quarters less mean of the shell 2 to 5 mm outside, over that of the truth. Signal: what the balls add in all.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from udeansr.benchmark.in_plane import thicken, thickened_in_plane
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.image.volume import Geometry, Volume
from udeansr.prediction.predictor import Predictor
from udeansr.prediction.self_training import learn_protocol, protocols

RADII_MM = (3, 3, 4, 4, 5, 5, 6, 6)
BRIGHTER = 0.5
BRIGHT = 0.5
"""All around a ball the scan is above this part of the tissue's level."""

APART_MM = 22
TRIES = 2000


def distances(geometry: Geometry, middle_mm: np.ndarray) -> np.ndarray:
    """Of each voxel from a point, mm."""
    axes = [np.arange(n) * mm - at for n, mm, at in zip(geometry.shape, geometry.spacing_mm, middle_mm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    return np.sqrt(z**2 + y**2 + x**2)


def place_balls(scan: np.ndarray, geometry: Geometry, level: float) -> list[tuple[int, np.ndarray]]:
    """Radius and distances of each ball, in the middle half of the volume."""
    rng, placed, found = np.random.default_rng(0), [], []
    size_mm = np.array(geometry.shape) * geometry.spacing_mm
    for radius in RADII_MM:
        for _ in range(TRIES):
            middle_mm = size_mm * rng.uniform(0.25, 0.75, 3)
            if any(np.linalg.norm(middle_mm - other) < APART_MM for other in placed):
                continue
            away = distances(geometry, middle_mm)
            if scan[away < radius + 3].min() > BRIGHT * level:
                placed.append(middle_mm)
                found.append((radius, away))
                break
    return found


def main() -> None:
    """Print a row a ball, then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path, nargs="+", help="scans of thick slices")
    rows = []
    for path in parser.parse_args().scans:
        truth, lr = thickened_in_plane(path)
        factor, scan = truth.geometry.shape[0] // lr.geometry.shape[0], truth.voxels.astype(np.float32)
        with TemporaryDirectory() as folder:
            write_volume(lr, Path(folder) / path.name)
            (protocol,) = protocols([(Path(folder) / path.name, lr.geometry)])
            model = learn_protocol(protocol, [], "cpu", "auto")
        level = float(np.median(scan[scan > scan.mean()]))
        balls = place_balls(scan, truth.geometry, level)
        added = BRIGHTER * level * np.sum([np.clip(radius + 0.5 - away, 0, 1) for radius, away in balls], axis=0)
        made = []
        for voxels in (scan + added, scan):
            again = thicken(Volume(voxels.astype(np.float32), truth.geometry), factor)
            made.append((Predictor(model)(again).voxels.astype(float), tricubic(again.voxels, Scale(factor, 1, 1))))
        for radius, away in balls:
            core, shell, all_of_it = away < 0.75 * radius, (away > radius + 2) & (away < radius + 5), away < radius + 4
            real = scan + added
            row = []
            for with_them, without in zip(*made, strict=True):
                contrast = with_them[core].mean() - with_them[shell].mean()
                signal = (with_them - without)[all_of_it].sum() / added[all_of_it].sum()
                row += [contrast / (real[core].mean() - real[shell].mean()), signal]
            rows.append(row)
            print(f"| {path.name}, {2 * radius} mm | {' | '.join(f'{value:.3f}' for value in row)} |", flush=True)
    means, deviations = np.mean(rows, axis=0), np.std(rows, axis=0)
    spread = " | ".join(f"{mean:.3f} ± {std:.3f}" for mean, std in zip(means, deviations, strict=True))
    print(f"| mean of {len(rows)} | {spread} |")
    print("columns: ball, contrast kept by self, signal, contrast kept by cubic, signal")


if __name__ == "__main__":
    main()
