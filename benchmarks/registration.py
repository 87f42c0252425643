"""How near rigid registration comes to a motion that is known. Moves real scans, registers, prints a table.

python benchmarks/registration.py HR_FOLDER --scale x2x2x1 --scans 10
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from udeansr.degradation.kspace import DEGRADATIONS, degrade
from udeansr.degradation.misalignment import Misalignment, draw_misalignment, misalign
from udeansr.degradation.registration import RigidMotion, register_rigidly
from udeansr.image.cropping import crop, foreground_mask
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.volume import Geometry, Volume, triple


def missed_voxels(motion: RigidMotion, hr: Volume, misalignment: Misalignment) -> np.ndarray:
    """By how many HR voxels, along no axis in particular, each foreground voxel is brought to the wrong place."""
    index = np.argwhere(foreground_mask(hr.voxels))[::101]
    matrix, offset = misalignment.affine(hr.geometry)
    missed_mm = motion.world_mm(hr.geometry.world_mm(index)) - hr.geometry.world_mm(index @ matrix.T + offset)
    return np.linalg.norm(missed_mm @ np.linalg.inv(hr.geometry.steps_mm), axis=1)


def missed_degrees(motion: RigidMotion, hr: Geometry, rigid: Misalignment) -> float:
    """The turn between the rotation that was found and the true one."""
    matrix, _ = rigid.affine(hr)
    true = Rotation.from_matrix(hr.steps_mm.T @ matrix @ np.linalg.inv(hr.steps_mm.T))
    return float(np.degrees((motion.rotation * true.inv()).magnitude()))


def _divisible(path: Path, scale: Scale) -> Volume:
    stored = read_volume(path)
    hr = reorient(stored, slab_orientation(stored.geometry))
    shape = triple(n // s * s for n, s in zip(hr.geometry.shape, scale.zyx, strict=True))
    return crop(hr, ((0, 0, 0), shape))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, help="folder of HR scans")
    parser.add_argument("--scale", default="x2x2x1")
    parser.add_argument("--scans", type=int, default=10, help="how many, the first by name; each draws one motion")
    parser.add_argument("--degradation", default="shifted", choices=DEGRADATIONS)
    parser.add_argument("--shrink", action="store_true", help="shrink as well, as simulation does")
    arguments = parser.parse_args()
    scale = Scale.parse(arguments.scale)
    print("| scan | moved, mean (HR voxels) | left, mean | left, largest | left (degrees) | seconds |")
    print("|---|---|---|---|---|---|")
    rows = []
    for seed, path in enumerate(list_images(arguments.hr)[: arguments.scans]):
        hr, rng = _divisible(path, scale), np.random.default_rng(seed)
        drawn = draw_misalignment(rng)
        rigid = replace(drawn, shrink_ap_voxels=0.0, shrink_lr_voxels=0.0)
        misalignment = drawn if arguments.shrink else rigid
        lr = degrade(hr.voxels.astype(np.float32), scale, DEGRADATIONS[arguments.degradation], rng)
        moved, fixed = misalign(hr, misalignment), Volume(lr, lr_geometry(hr.geometry, scale))
        start = time.perf_counter()
        motion = register_rigidly(moved, fixed)
        seconds = time.perf_counter() - start
        before, after = (missed_voxels(one, hr, misalignment) for one in (RigidMotion(), motion))
        rows.append((before.mean(), after.mean(), after.max(), missed_degrees(motion, hr.geometry, rigid), seconds))
        print(f"| {case_name(path)} | {_row(rows[-1])} |", flush=True)
    print(f"| mean | {_row(np.mean(rows, axis=0))} |\n| largest | {_row(np.max(rows, axis=0))} |")


def _row(values: np.ndarray | tuple[float, ...]) -> str:
    *lengths, seconds = values
    return " | ".join(f"{value:.3f}" for value in lengths) + f" | {seconds:.1f}"


if __name__ == "__main__":
    main()
