"""ECLARE, UniRes and our `self` on the very same thick scans, on the CPU: made, restored and scored.

    python benchmarks/other_programs.py make HR_FOLDER -o OUT --cases sub-01 --factor 3
    python benchmarks/other_programs.py run eclare OUT --python eclare_env/bin/python --more "--n-patches 30720"
    python benchmarks/other_programs.py run self OUT
    python benchmarks/other_programs.py score OUT

`make` thickens HR scans as benchmarks/thick_slices.py does, with a Gaussian slice profile, and keeps truth and LR.
`run` calls a program by its own command line, once a scan, and measures seconds and seconds of a core, start included;
OMP_NUM_THREADS is the caller's; scans that it has made already are kept. What `--more` says goes to the program and
stands in the table, so that nobody takes a shortened run for the program's own. `score` takes the cases that every
program has, and counts PSNR as benchmarks/thick_slices.py does. What comes on another grid than the truth's is first
brought to it by SimpleITK, with B-splines of order 3.

ECLARE (S. Remedios et al., SASHIMI 2023): `pip install eclare==1.0.1 sigpy`. As `self` it is told the thickness, so
that it does not estimate the slice profile. It takes the axis of the coarsest spacing for that of the slices, and both
axes of its planes for equally fine, which those of `--in-plane` are not. Its own choice is 1,000,000 patches: 7813
iterations of 128, about 15 hours of one core; its learning rate follows `--n-patches`.

UniRes (M. Brudfors et al., MIUA 2018): `pip install -e .` in a clone of github.com/brudfors/UniRes, which brings
nitorch from GitHub; neither is on PyPI. Its voxels are isotropic, so that it is asked for the finest spacing of the
truth. It is told no thickness: its command line has no option for it, and it assumes a box without gap. The command is
from its source (unires/_cli.py); we have not run it. With `--print_info 0`, as it otherwise asks for a GPU's name.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from thick_slices import psnr

from udeansr.benchmark.in_plane import thicken
from udeansr.image.files import list_images, read_geometry, read_volume, write_volume
from udeansr.image.grid import Scale, reorient, same_grid, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.resampling import resample_onto, tricubic
from udeansr.image.volume import Geometry, Volume

THICKENING_FILE = "thickening.json"
SECONDS_FILE = "seconds.json"
SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class Thickening:
    """How the thick scans of a folder were made, as benchmarks/thick_slices.py names it."""

    factor: int
    thickness: float
    noise: float
    in_plane: bool


@dataclass(frozen=True)
class Program:
    """How a program is called: its executable, its arguments for a scan, the name of what it writes."""

    executable: str
    arguments: Callable[[Path, Path, Geometry, Thickening], list[str]]
    written: str
    install: str


def _eclare(lr: Path, folder: Path, grid: Geometry, thickening: Thickening) -> list[str]:
    """The thickness is told in voxels of the plane."""
    if grid.spacing_mm[0] <= max(grid.spacing_mm[1:]):
        raise SystemExit(
            f"{lr}: spacing {grid.spacing_mm} mm; ECLARE restores the axis of the coarsest spacing, which is not the "
            "first, the thickened one; make the scans with a larger --factor"
        )
    fwhm = thickening.thickness * grid.spacing_mm[0] / min(grid.spacing_mm[1:])
    where = ["--in-fpath", str(lr), "--out-dir", str(folder)]
    return [*where, "--gpu-id", "-1", "--relative-slice-thickness", f"{fwhm:.4f}"]


def _unires(lr: Path, folder: Path, grid: Geometry, thickening: Thickening) -> list[str]:
    finest = min(_hr_spacing(grid, thickening))
    options = ["--vx", f"{finest:.4f}", "--device", "cpu", "--prefix", "ur_", "--print_info", "0"]
    return [*options, "--dir_out", str(folder), str(lr)]


def _self(lr: Path, folder: Path, grid: Geometry, thickening: Thickening) -> list[str]:
    spacing = "x".join(f"{mm:.6f}" for mm in _hr_spacing(grid, thickening)[::-1])
    learned = ["--method", "self", "--set", f"self.thickness={thickening.thickness}", "--spacing", spacing]
    return ["-i", str(lr), "-o", str(folder), *learned, "--device", "cpu", "--overwrite"]


def _hr_spacing(grid: Geometry, thickening: Thickening) -> tuple[float, float, float]:
    z, y, x = grid.spacing_mm
    return z / thickening.factor, y, x


PROGRAMS = {
    "eclare": Program("run-eclare", _eclare, "{case}_eclare.nii.gz", "pip install eclare==1.0.1 sigpy"),
    "unires": Program(
        "unires", _unires, "ur_{case}.nii.gz", "pip install -e . in a clone of github.com/brudfors/UniRes"
    ),
    "self": Program("udeansr_predict", _self, "{case}.nii.gz", "pip install -e . in this repository"),
}


def make(hr_folder: Path, out: Path, cases: list[str] | None, thickening: Thickening) -> None:
    """Write truth and LR, on the grids and with the seeds of benchmarks/thick_slices.py."""
    for number, path in enumerate(list_images(hr_folder)):
        if cases and not path.name.startswith(tuple(cases)):
            continue
        stored = read_volume(path)
        letters = slab_orientation(stored.geometry)
        hr = reorient(stored, letters[1] + letters[0] + letters[2] if thickening.in_plane else letters)
        lr = thicken(hr, thickening.factor, thickening.thickness, "gaussian", thickening.noise, number)
        truth = hr.voxels[: thickening.factor * lr.voxels.shape[0]].astype(np.float32)
        name = case_name(path) + SUFFIX
        write_volume(Volume(truth, replace(hr.geometry, shape=truth.shape)), out / "truth" / name)
        write_volume(lr, out / "lr" / name)
    (out / THICKENING_FILE).write_text(json.dumps(asdict(thickening), indent=1) + "\n")


def run(program_name: str, out: Path, python: Path, more: str) -> None:
    """Restore each LR that is not restored yet; how long it took goes beside the results after each."""
    program, thickening, folder = PROGRAMS[program_name], _thickening(out), out / program_name
    executable = python.parent / program.executable
    if not executable.is_file():
        raise SystemExit(f"{executable}: no such program; install it for that Python: {program.install}")
    folder.mkdir(exist_ok=True)
    seconds = _seconds(folder)
    # No GPU is seen, so that all of them run on the CPU.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    for lr in list_images(out / "lr"):
        case = case_name(lr)
        if case in seconds and (folder / lr.name).is_file():
            if seconds[case]["more"] != more:
                raise SystemExit(f"{folder / lr.name}: made with --more '{seconds[case]['more']}'; take {folder} away")
            continue
        arguments = program.arguments(lr, folder, read_geometry(lr), thickening)
        begun, cpu = time.monotonic(), _cpu_seconds()
        status = subprocess.run([executable, *arguments, *shlex.split(more)], env=environment, check=False).returncode
        wall, cpu = time.monotonic() - begun, _cpu_seconds() - cpu
        written = folder / program.written.format(case=case)
        if status or not written.is_file():
            raise SystemExit(f"{lr}: {program_name} ended with exit status {status}, its words are above; no {written}")
        written.replace(folder / lr.name)
        threads = os.environ.get("OMP_NUM_THREADS", "all")
        seconds[case] = {"wall": round(wall, 1), "cpu": round(cpu, 1), "threads": threads, "more": more}
        (folder / SECONDS_FILE).write_text(json.dumps(seconds, indent=1) + "\n")


def score(out: Path) -> None:
    """Print a row a program: cubic, then each folder of OUT that holds results."""
    thickening = _thickening(out)
    folders = [
        path for path in sorted(out.iterdir()) if path.name not in ("truth", "lr") and any(path.glob("*" + SUFFIX))
    ]
    truths = list_images(out / "truth")
    common = [path for path in truths if all((folder / path.name).is_file() for folder in folders)]
    if not common:
        raise SystemExit(f"{out}: no case that all of {', '.join(path.name for path in folders)} have; run them first")
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for path in common:
        truth, lr = read_volume(path), read_volume(out / "lr" / path.name)
        cpu = time.process_time()
        cubic = tricubic(lr.voxels, Scale(thickening.factor, 1, 1))
        rows.setdefault("cubic", []).append((*psnr(cubic, truth.voxels), time.process_time() - cpu))
        for folder in folders:
            restored = _onto(read_volume(folder / path.name), truth.geometry)
            took = _seconds(folder).get(case_name(path), {})
            name = " ".join([folder.name, *filter(None, [took.get("more")])])
            row = (*psnr(restored.voxels, truth.voxels), took.get("cpu", np.nan))
            rows.setdefault(name, []).append(row)
    print("| program | PSNR volume / head | CPU seconds |\n|---|---|---|")
    for name, values in rows.items():
        volume, head, cpu = np.mean(values, axis=0)
        print(f"| {name} | {volume:.2f} / {head:.2f} | {cpu:.0f} |")
    print(f"\nmean of {len(common)} of {len(truths)} cases; {thickening}")


def _onto(volume: Volume, grid: Geometry) -> Volume:
    """A result on the truth's grid; voxels that lie there already are not touched."""
    oriented = reorient(volume, grid.orientation)
    return oriented if same_grid(oriented.geometry, grid, 0.01) else resample_onto(volume, grid)


def _thickening(out: Path) -> Thickening:
    if not (out / THICKENING_FILE).is_file():
        raise SystemExit(
            f"{out / THICKENING_FILE}: no such file; make the scans first: other_programs.py make HR_FOLDER -o {out}"
        )
    return Thickening(**json.loads((out / THICKENING_FILE).read_text()))


def _seconds(folder: Path) -> dict[str, dict]:
    path = folder / SECONDS_FILE
    return json.loads(path.read_text()) if path.is_file() else {}


def _cpu_seconds() -> float:
    """Of a core, of all programs that were run and have ended, their workers included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Make, run or score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    making = steps.add_parser("make", help="thick scans of HR scans")
    making.add_argument("hr", type=Path, help="folder of HR scans")
    making.add_argument("-o", "--output", type=Path, required=True)
    making.add_argument("--cases", nargs="*", help="beginnings of the names to take; default: all")
    making.add_argument("--factor", type=int, default=3, help="HR voxels from slice to slice")
    making.add_argument("--thickness", type=float, default=1.0, help="FWHM over the distance of slices; 0.7: 30 %% gap")
    making.add_argument("--in-plane", action="store_true", help="along an in-plane axis")
    making.add_argument("--noise", type=float, default=0.01)
    running = steps.add_parser("run", help="restore them by another program")
    running.add_argument("program", choices=PROGRAMS)
    running.add_argument("output", type=Path, help="folder that make has made")
    running.add_argument("--python", type=Path, default=Path(sys.executable), help="of the program's environment")
    running.add_argument("--more", default="", help='arguments for the program, such as "--n-patches 30720"')
    scoring = steps.add_parser("score", help="print a table")
    scoring.add_argument("output", type=Path, help="folder that make has made")
    arguments = parser.parse_args()
    if arguments.step == "make":
        thickening = Thickening(arguments.factor, arguments.thickness, arguments.noise, arguments.in_plane)
        make(arguments.hr, arguments.output, arguments.cases, thickening)
    elif arguments.step == "run":
        run(arguments.program, arguments.output, arguments.python, arguments.more)
    else:
        score(arguments.output)


if __name__ == "__main__":
    main()
