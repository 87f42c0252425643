"""A model of a cohort for thick slices beside the same told the true degradation, and the scans' own model.

    python benchmarks/thick_cohort.py ds000011_t1w --test sub-01 sub-02 sub-03 --factor 3 -o thick/

The scans of the test subjects are thickened as benchmarks/thick_slices.py does it, all others are source HR: a dataset
that `udeansr_plan_and_preprocess`, `udeansr_train` and `udeansr_predict` take as they are. Told the true degradation is
a configuration of the same plan. Scores are those of thick_slices.py. No HR of a test subject is seen by anyone.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from thick_slices import psnr

from udeansr.benchmark.in_plane import thicken
from udeansr.degradation.kspace import Degradation
from udeansr.degradation.slice_profile import SLICE_PROFILES
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import Scale, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.resampling import tricubic
from udeansr.image.volume import Volume
from udeansr.planning.plan import PLANS_FILE, Plan
from udeansr.strict_json import as_json

DATASET = "Dataset001_Thick"


def make(arguments: argparse.Namespace) -> dict[str, Volume]:
    """The dataset; gives the truth of its LR."""
    folder, truths = arguments.output / "raw" / DATASET, {}
    for number, path in enumerate(list_images(arguments.hr)):
        if not path.name.startswith(tuple(arguments.test)):
            (folder / "sourceHR").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / "sourceHR")
            continue
        stored = read_volume(path)
        hr = reorient(stored, slab_orientation(stored.geometry))
        lr = thicken(hr, arguments.factor, arguments.thickness, arguments.profile, arguments.noise, number)
        write_volume(lr, folder / "targetLR" / f"{case_name(path)}.nii.gz")
        truths[f"{case_name(path)}.nii.gz"] = hr
    return truths


def tell_the_truth(arguments: argparse.Namespace, scale: str) -> None:
    """A further configuration of the plan, of the true degradation; say how far from it the measured one is."""
    path = arguments.output / "preprocessed" / DATASET / PLANS_FILE
    plan = Plan.load(path)
    truth = Degradation(slice_profile=arguments.profile, slice_thickness=arguments.thickness)
    known = {key: value for key, value in as_json(truth).items() if value is not None}
    values = json.loads(path.read_text(encoding="utf-8"))
    values["configurations"]["oracle"] = {"inherits_from": scale, "task": {"source_degradation": known}}
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")
    measured = plan.degradation
    assert measured is not None, "planning measured nothing"
    frequencies = np.asarray(measured.frequencies)
    off = np.asarray(measured.transfer[0]) - truth.transfer(frequencies, 0)
    print(
        f"measured: slices {measured.slice_profile} {measured.slice_thickness}, H along the slices off by "
        f"{off[np.argmax(abs(off))]:+.3f} at most, {off[-1]:+.3f} at Nyquist",
        flush=True,
    )


def run(command: str, *words: str, arguments: argparse.Namespace) -> float:
    """One of udeansr's commands; gives the seconds of a core that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    roots = [word for kind in arguments.roots[command] for word in (f"--{kind}", str(arguments.output / kind))]
    with (arguments.output / "log.txt").open("a") as log:
        subprocess.run(
            [Path(sys.executable).with_name(command), *words, *roots], check=True, stdout=log, stderr=subprocess.STDOUT
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Make, plan, train, predict, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, help="folder of HR scans")
    parser.add_argument("--test", nargs="+", required=True, help="beginnings of the names of the test subjects")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--factor", type=int, default=3)
    parser.add_argument("--thickness", type=float, default=1.0, help="FWHM over the distance of slices")
    parser.add_argument("--profile", default="gaussian", choices=SLICE_PROFILES)
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--epochs", help="of 500 iterations; default: the plan's")
    parser.add_argument("--method", default="supervised")
    arguments = parser.parse_args()
    arguments.roots = {
        "udeansr_plan_and_preprocess": ("raw", "preprocessed"),
        "udeansr_train": ("preprocessed", "results"),
        "udeansr_predict": ("results",),
    }
    scale = str(Scale(arguments.factor, 1, 1))
    arguments.output.mkdir(parents=True)
    truths = make(arguments)
    lr = arguments.output / "raw" / DATASET / "targetLR"
    run("udeansr_plan_and_preprocess", "-d", "1", "--memory-gb", "0", "--no-preprocess", arguments=arguments)
    tell_the_truth(arguments, scale)
    run("udeansr_plan_and_preprocess", "-d", "1", arguments=arguments)
    length = [] if arguments.epochs is None else ["--epochs", arguments.epochs, "--iterations-per-epoch", "500"]
    z, y, x = next(iter(truths.values())).geometry.spacing_mm
    own = ["--set", f"self.thickness={arguments.thickness}", "--spacing", f"{x:.6g}x{y:.6g}x{z:.6g}"]
    ways = {"self": ["--method", "self", *own]}
    seconds = {}
    for name, configuration in (("measured", scale), ("oracle", "oracle")):
        words = ["1", configuration, "--method", arguments.method, *length]
        seconds[name] = run("udeansr_train", *words, arguments=arguments)
        ways[name] = ["-d", "1", "-c", configuration, "--method", arguments.method]
    for name, words in ways.items():
        sr = arguments.output / name
        spent = run("udeansr_predict", "-i", str(lr), "-o", str(sr), *words, "--device", "cpu", arguments=arguments)
        seconds[name] = seconds.get(name, 0.0) + spent
    rows = {"cubic": [], **{name: [] for name in ways}}
    for image, hr in truths.items():
        thick = read_volume(lr / image).voxels
        truth = hr.voxels[: arguments.factor * len(thick)].astype(np.float32)
        rows["cubic"].append(psnr(tricubic(thick, Scale(arguments.factor, 1, 1)), truth))
        for name in ways:
            made = reorient(read_volume(arguments.output / name / image), hr.geometry.orientation)
            rows[name].append(psnr(made.voxels, truth))
    print(f"\n| {scale}, thickness {arguments.thickness:g} | PSNR volume / head, dB | seconds of a core |")
    print("|---|---|---|")
    for name, found in rows.items():
        volume, head = np.mean(found, axis=0)
        print(f"| {name} | {volume:.2f} / {head:.2f} | {seconds.get(name, 0):.0f} |")


if __name__ == "__main__":
    main()
