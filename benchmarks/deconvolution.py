"""What Wiener deconvolution by one volume's own measured degradation is worth, before any network.

python benchmarks/deconvolution.py HR_FOLDER --scale x2x2x1 --subjects 8 4

The mean spectrum is of the first group; LR is made of the second, and zero-filled as it is and deconvolved.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import numpy as np

from udeansr.degradation.kspace import DEGRADATIONS, TRUNCATION, Degradation, degrade
from udeansr.degradation.measured_degradation import deconvolve
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.degradation.subjects import Counts, draw_groups
from udeansr.evaluation.metrics import psnr, ssim_2d
from udeansr.image.cropping import crop
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.normalization import intensity_scale
from udeansr.image.resampling import sinc
from udeansr.image.volume import Volume, triple
from udeansr.planning.domain import find_domain
from udeansr.preprocessing.domain_randomization import draw_degradation


def read_hr(path: Path, scale: Scale) -> Volume:
    stored = read_volume(path)
    hr = reorient(stored, slab_orientation(stored.geometry))
    return crop(hr, ((0, 0, 0), triple(n // s * s for n, s in zip(hr.geometry.shape, scale.zyx, strict=True))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, help="folder of HR scans")
    parser.add_argument("--scale", default="x2x2x1")
    parser.add_argument("--subjects", type=int, nargs=2, default=(8, 4), help="known subjects, new subjects")
    parser.add_argument("--test", type=int, default=8, help="subjects of a test group, drawn first and left alone")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    scale, (known, new) = Scale.parse(arguments.scale), arguments.subjects
    scans = {case_name(path): path for path in list_images(arguments.hr)}
    counts = Counts(known, 1, new, arguments.test)
    groups = draw_groups(sorted(scans), counts, "unpaired", arguments.seed)
    known_hr = [read_hr(scans[name], scale) for name in groups["source"]]
    spectra = [foreground_spectrum(hr.voxels, scale) for hr in known_hr]
    spacing_mm = lr_geometry(known_hr[0].geometry, scale).spacing_mm
    clean = [degrade(hr.voxels, scale, TRUNCATION, np.random.default_rng(0)) for hr in known_hr]
    domain = find_domain(spectra, [foreground_spectrum(lr) for lr in clean[:2]], spacing_mm, None)
    print(f"spectrum of {len(known_hr)} subjects; LR of {new} others; PSNR dB / SSIM 2-D of zero filling")
    print("| LR | error of H, largest of Z, of X | as it is | deconvolved |\n|---|---|---|---|")
    kinds: dict[str, Degradation | None] = {**DEGRADATIONS, "drawn, first": None, "drawn, second": None}
    for number, (kind, named) in enumerate(kinds.items()):
        rows = []
        for name in groups["validation"]:
            hr, rng = read_hr(scans[name], scale), np.random.default_rng([zlib.crc32(name.encode()), number])
            scanner = named or draw_degradation(rng)
            lr = degrade(hr.voxels, scale, scanner, rng)
            level, truth = intensity_scale(lr), hr.voxels / np.float32(intensity_scale(hr.voxels))
            measured = domain.measure(lr, spacing_mm)
            frequencies = np.array(measured.frequencies)
            errors = [np.abs(measured.transfer[axis] - scanner.transfer(frequencies, axis)).max() for axis in (0, 2)]
            images = lr / level, deconvolve(lr / level, measured, domain.spectrum)
            unit = level / intensity_scale(hr.voxels)
            found = [np.maximum(sinc(image, scale), 0) * unit for image in images]
            rows.append([*errors, *(score(sr, truth) for sr in found for score in (psnr, ssim_2d))])
        z, x, *scores = np.mean(rows, axis=0)
        cells = [f"{scores[i]:.2f} / {scores[i + 1]:.3f}" for i in (0, 2)]
        print(f"| {kind} | {z:.2f}, {x:.2f} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
