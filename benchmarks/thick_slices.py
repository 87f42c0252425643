"""Thick slices made of HR, restored by `udeansr_predict --method self` and by cubic interpolation, and scored.

Each scan is thickened along its slab axis, or with --in-plane along the second axis of its plane (anterior-posterior of
axial slices), so that a scan of thick slices is its own truth: by a slice profile, then sampled, with Rician noise. It
is restored from itself alone. PSNR over the whole volume and over the head (above a tenth of the mean of what is above
the mean), peak: the 99.5th percentile of what is above the mean, intensities clipped to it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from udeansr.benchmark.in_plane import thicken
from udeansr.degradation.slice_profile import SLICE_PROFILES
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import Scale, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.resampling import tricubic
from udeansr.models.choice import ModelQuery
from udeansr.paths import results_root
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict


def psnr(made: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Of the whole volume and of the head, dB."""
    bright = truth[truth > truth.mean()]
    peak, head = np.percentile(bright, 99.5), truth > 0.1 * bright.mean()
    error = np.square(np.clip(made / peak, 0, 1) - np.clip(truth / peak, 0, 1))
    return -10 * np.log10(error.mean()), -10 * np.log10(error[head].mean())


def main() -> None:
    """Restore each scan; print a row each, then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, help="folder of HR scans")
    parser.add_argument("--cases", nargs="*", help="beginnings of the names to take; default: all")
    parser.add_argument("--factor", type=int, default=3, help="HR voxels from slice to slice")
    parser.add_argument("--thickness", type=float, default=1.0, help="FWHM over the distance of slices; 0.7: 30 %% gap")
    parser.add_argument("--in-plane", action="store_true", help="along an in-plane axis")
    parser.add_argument("--profile", default="gaussian", choices=SLICE_PROFILES)
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--set", action="append", default=[], help="self.iterations=500 and the like")
    parser.add_argument("--quality", help="fast (default), balanced or best")
    parser.add_argument("--threads", type=int, help="of the processor")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rows = []
    for number, path in enumerate(list_images(arguments.hr)):
        if arguments.cases and not path.name.startswith(tuple(arguments.cases)):
            continue
        stored = read_volume(path)
        letters = slab_orientation(stored.geometry)
        hr = reorient(stored, letters[1] + letters[0] + letters[2] if arguments.in_plane else letters)
        lr = thicken(hr, arguments.factor, arguments.thickness, arguments.profile, arguments.noise, number)
        truth = hr.voxels[: arguments.factor * lr.voxels.shape[0]].astype(np.float32)
        settings = (f"self.thickness={arguments.thickness}", *arguments.set)
        options = Options(device="cpu", spacing_mm=hr.geometry.spacing_mm, settings=settings, quality=arguments.quality)
        with TemporaryDirectory() as folder:
            write_volume(lr, Path(folder) / "lr" / "a.nii.gz")
            begun, cpu = time.monotonic(), time.process_time()
            predict(Path(folder) / "lr", Path(folder) / "sr", ModelQuery(results_root(None), method="self"), options)
            seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
            sr = reorient(read_volume(Path(folder) / "sr" / "a.nii.gz"), hr.geometry.orientation).voxels
        cubic = tricubic(lr.voxels, Scale(arguments.factor, 1, 1))
        rows.append((*psnr(cubic, truth), *psnr(sr, truth), seconds, cpu))
        print(f"| {case_name(path)} | {_cells(rows[-1])} |", flush=True)
    print(f"| mean of {len(rows)} | {_cells(np.mean(rows, axis=0))} |")
    print("columns: case, cubic volume / head, self volume / head, seconds, seconds of a core")


def _cells(row: tuple[float, ...] | np.ndarray) -> str:
    cubic, cubic_head, own, own_head, seconds, cpu = row
    return f"{cubic:.2f} / {cubic_head:.2f} | {own:.2f} / {own_head:.2f} | {seconds:.0f} | {cpu:.0f}"


if __name__ == "__main__":
    main()
