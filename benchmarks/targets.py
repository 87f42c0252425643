"""Make target cohorts that differ from the HR in what a transfer function and noise do not express.

For each a raw dataset, whose target LR is of other people than its HR, and one with LR of those whose HR it holds:
``udeansr_benchmark`` takes both as they are, and trains on the pairs of the second what nobody could do better.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from udeansr.degradation.kspace import SHIFTED, Degradation, degrade
from udeansr.degradation.subjects import SOURCE, TARGET, TEST, VALIDATION, Counts, draw_groups, subject_of
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.normalization import intensity_scale
from udeansr.image.volume import Volume
from udeansr.paths import SOURCE_HR, TARGET_LR, TEST_HR, TEST_LR, VALIDATION_HR, VALIDATION_LR
from udeansr.strict_json import write_json

Of = Callable[[np.ndarray, np.random.Generator], np.ndarray]
COUNTS = Counts(24, 24, 4, 8)
SHARP = Degradation(partial_fourier=0.75, noise=0.01)
FIELD, GHOST, SHARPENED = 0.3, 0.06, 1.0
GROWN, REACH = 0.3, 0.22
"""Of ventricles: how far the middle of the brain is spread, and the reach of that over each side."""


def gamma(hr: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Another contrast: x^0.75."""
    return hr**0.75


def saturation(hr: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Another contrast, as a shorter TR gives it: what is bright is brightened less."""
    return (1 - np.exp(-2 * hr)) / (1 - np.exp(-2))


def fluid(hr: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Another contrast by tissue: fluid, dark in T1w, becomes as bright as grey matter. No monotone map does that."""
    return hr + 0.35 * np.exp(-(((hr - 0.16) / 0.09) ** 2))


def older(hr: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Another population: the middle of the brain spread, as ventricles spread with age."""
    places = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in hr.shape), indexing="ij")
    mask = hr > 0.1
    centre = [float(place[mask].mean()) for place in places]
    distance = sum(((place - c) / (REACH * n)) ** 2 for place, c, n in zip(places, centre, hr.shape, strict=True))
    factor = 1 - GROWN * np.exp(-distance)
    moved = [c + (place - c) * factor for place, c in zip(places, centre, strict=True)]
    return ndimage.map_coordinates(hr, moved, order=1, mode="nearest")


def field(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The field of a receive coil, another for each subject."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape), indexing="ij")
    a, b, c = rng.uniform(-1, 1, 3)
    return image * np.exp(FIELD * (a * z + b * y + c * x) - FIELD * (z**2 + y**2 + x**2) / 3)


def ghosts(lr: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """A ghost half a field of view away along Y, as moving subjects leave it."""
    return np.abs(lr + GHOST * np.roll(lr, lr.shape[1] // 2, axis=1))


def sharpened(lr: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Gibbs-filtered and sharpened by unsharp masking, as consoles do before they store."""
    soft = ndimage.gaussian_filter(lr, (0, 1, 1))
    return np.maximum(lr + SHARPENED * (lr - soft), 0)


def as_it_is(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Nothing more."""
    return image


BEFORE: dict[str, Of] = {
    "none": as_it_is, "gamma": gamma, "saturation": saturation, "fluid": fluid, "older": older, "field": field,
    "ghosts": as_it_is, "sharpened": as_it_is, "varying_blur": as_it_is,
}  # fmt: skip
"""What makes a target's HR, of which LR is made and to which SR is held."""

AFTER: dict[str, Of] = {"ghosts": ghosts, "sharpened": sharpened}
"""What its LR goes through after the degradation."""


def make_lr(target: str, hr: np.ndarray, scale: Scale, rng: np.random.Generator) -> np.ndarray:
    """The LR of a target's HR: as :data:`SHIFTED`, or its blur growing from one side to the other."""
    lr = degrade(hr, scale, SHIFTED, rng)
    if target == "varying_blur":
        place = np.linspace(0, 1, lr.shape[2], dtype=np.float32)
        soft = ndimage.gaussian_filter(lr, (0, 0.8, 0.8))
        lr = place * degrade(hr, scale, SHARP, rng) + (1 - place) * soft
    return AFTER.get(target, as_it_is)(lr, rng)


def main() -> None:
    """Write the datasets of the targets that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hr", type=Path, help="folder of HR scans, a subject each")
    parser.add_argument("output", type=Path, help="folder for the raw datasets")
    parser.add_argument("--targets", default=",".join(BEFORE), help=", ".join(BEFORE))
    parser.add_argument("--scale", default="x2x2x1")
    parser.add_argument("--seed", type=int, default=1, help="who is in which group, noise, fields")
    parser.add_argument("--counts", default="24,24,4,8", help="source, target, validation, test")
    arguments = parser.parse_args()
    scans = {subject_of(case_name(path)): path for path in list_images(arguments.hr)}
    counts = Counts(*map(int, arguments.counts.split(",")))
    groups = draw_groups(list(scans), counts, "unpaired", arguments.seed)
    for number, target in enumerate(arguments.targets.split(","), 100 * arguments.seed):
        made = arguments.output / f"Dataset{number:03d}_{target}", arguments.output / f"Dataset{number + 50}_{target}"
        for folder in made:
            folder.mkdir(parents=True)
            write_json({"name": target, "contrast": "T1w"}, folder / "dataset.json")
        for group, subjects in groups.items():
            for subject in subjects:
                _write(target, group, scans[subject], Scale.parse(arguments.scale), arguments.seed, made)


def _write(target: str, group: str, path: Path, scale: Scale, seed: int, made: tuple[Path, Path]) -> None:
    """The files of one subject, in the dataset of strangers and in that of pairs."""
    rng = np.random.default_rng([seed, zlib.crc32(path.name.encode())])
    stored = read_volume(path)
    volume = reorient(stored, slab_orientation(stored.geometry))
    sides = tuple(slice(n // s * s) for n, s in zip(volume.voxels.shape, scale.zyx, strict=True))
    plain = Volume(np.maximum(volume.voxels[sides], 0).astype(np.float32), volume.geometry)
    if plain.voxels.shape != volume.voxels.shape:
        raise SystemExit(f"{path}: {volume.voxels.shape} does not divide by {scale}; crop the scan, or leave it out")
    unit = np.float32(intensity_scale(plain.voxels))
    hr = Volume(unit * BEFORE[target](plain.voxels / unit, rng).astype(np.float32), plain.geometry)
    low = Volume(make_lr(target, hr.voxels, scale, rng).astype(np.float32), lr_geometry(hr.geometry, scale))
    strangers, pairs = made
    files = {
        SOURCE: [(strangers / SOURCE_HR, plain), (pairs / SOURCE_HR, hr), (pairs / TARGET_LR, low)],
        TARGET: [(strangers / TARGET_LR, low)],
        VALIDATION: [(one / name, what) for one in made for name, what in ((VALIDATION_HR, hr), (VALIDATION_LR, low))],
        TEST: [(one / name, what) for one in made for name, what in ((TEST_HR, hr), (TEST_LR, low))],
    }
    for folder, what in files[group]:
        write_volume(reorient(what, stored.geometry.orientation), folder / path.name)


if __name__ == "__main__":
    main()
