"""Score SR of another contrast in the contrast of the HR: as it is, its tone curve undone, the true one undone."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from udeansr.degradation.tone_curve import NODES, ToneCurve
from udeansr.evaluation.metrics import psnr
from udeansr.image.files import list_images, read_volume
from udeansr.image.normalization import intensity_scale
from udeansr.planning.plan import Plan

FINE = np.linspace(0, 3, 3001)
"""Normalised intensities at which a curve is turned round."""


def main() -> None:
    """Print a line: PSNR, mean over subjects, dB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sr", type=Path, help="folder of SR")
    parser.add_argument("hr", type=Path, help="folder of the HR of the same names, in its own contrast")
    parser.add_argument("--plan", type=Path, required=True, help="plans.json, whose tone curve is undone")
    parser.add_argument("--power", type=float, default=0.75, help="of the true curve")
    arguments = parser.parse_args()
    measured = Plan.load(arguments.plan).degradation
    found = measured.tone if measured else None
    true = ToneCurve(tuple(np.linspace(0, 1, NODES) ** arguments.power))
    scores = []
    for path in list_images(arguments.sr):
        hr, sr = (read_volume(one).voxels.astype(np.float64) for one in (arguments.hr / path.name, path))
        hr, sr = hr / intensity_scale(hr), np.maximum(sr / intensity_scale(sr), 0)
        tones = (None, found, true)
        scores.append([psnr(sr if tone is None else np.interp(sr, tone(FINE), FINE), hr) for tone in tones])
    plain, curve, truth = np.mean(scores, axis=0)
    print(f"{len(scores)} subjects: as it is {plain:.2f} dB, its curve undone {curve:.2f}, the true one {truth:.2f}")


if __name__ == "__main__":
    main()
