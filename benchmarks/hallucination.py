"""Errors put into SR, and how well the map of doubt of `udeansr_report` finds them: area under the ROC curve.

Into each SR errors of one kind are put at places drawn at random in the foreground, in balls of 8 mm, with soft edges:
blob (brighter by a quarter of the tissue's level), erased (smoothed until the structure is gone), moved (by 2 voxels
along each axis), texture (noise of 6 % of the level that truncation to the LR takes away wholly). Positives are LR
voxels inside a ball, negatives those of the foreground that are 4 mm from any; the SR's own errors among them count
against the map.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage, stats

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.files import list_images, read_volume
from udeansr.image.names import case_name
from udeansr.image.resampling import sinc
from udeansr.report.pair import Pair, make_pair
from udeansr.report.support import measure_support

RADIUS_MM, APART_MM, BALLS = 4.0, 4.0, 10
KINDS = ("blob", "erased", "moved", "texture")


def places(pair: Pair, foreground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Distance of each SR voxel from the nearest of some places in the foreground, mm."""
    fine = ndimage.zoom(foreground.astype(np.uint8), pair.scale.zyx, order=0).astype(bool)
    inner = np.argwhere(ndimage.binary_erosion(fine, iterations=3))
    seeds = np.ones(pair.sr.shape, bool)
    seeds[tuple(inner[rng.choice(len(inner), BALLS, replace=False)].T)] = False
    return ndimage.distance_transform_edt(seeds, sampling=pair.fine.spacing_mm)


def seeded(pair: Pair, away_mm: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """The SR with errors of a kind in the balls."""
    weight = np.clip(RADIUS_MM + 0.5 - away_mm, 0, 1)
    level = float(np.median(pair.sr[pair.sr > pair.sr.mean()]))
    if kind == "blob":
        return pair.sr + 0.25 * level * weight
    if kind == "erased":
        wrong = ndimage.gaussian_filter(pair.sr, [4.0 / mm for mm in pair.fine.spacing_mm])
    elif kind == "moved":
        wrong = np.roll(pair.sr, (2, 2, 2), (0, 1, 2))
    else:
        noise = rng.standard_normal(pair.sr.shape).astype(np.float32)
        noise -= sinc(truncate_kspace(noise, pair.scale), pair.scale)
        wrong = pair.sr + 0.06 * level * noise / noise.std()
    return pair.sr + weight * (wrong - pair.sr)


def area(doubt: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> float:
    """Area under the ROC curve: how often a voxel inside has more doubt than one outside."""
    ranks = stats.rankdata(np.concatenate([doubt[inside], doubt[outside]]))[: inside.sum()]
    return float((ranks.sum() - inside.sum() * (inside.sum() + 1) / 2) / inside.sum() / outside.sum())


def main() -> None:
    """Print a row a case, then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lr", type=Path, help="folder of LR")
    parser.add_argument("sr", type=Path, help="folder of their SR")
    parser.add_argument("--cases", nargs="+", help="names of files, without their endings [default: all]")
    arguments = parser.parse_args()
    scans = {case_name(path): path for path in list_images(arguments.lr)}
    rows = []
    print(f"| case | {' | '.join(KINDS)} | all |")
    for path in list_images(arguments.sr):
        if arguments.cases and case_name(path) not in arguments.cases:
            continue
        clean = make_pair(read_volume(scans[case_name(path)]), read_volume(path))
        foreground = measure_support(clean).foreground
        found = []
        for number, kind in enumerate(KINDS):
            rng = np.random.default_rng(number)
            away_mm = places(clean, foreground, rng)
            wrong = seeded(clean, away_mm, kind, rng)
            doubt = measure_support(Pair(clean.lr, wrong, clean.scale, clean.geometry, clean.level)).doubt
            (z, y, x), (sz, sy, sx) = clean.lr.shape, clean.scale.zyx
            nearest = away_mm.reshape(z, sz, y, sy, x, sx).mean((1, 3, 5))
            found.append(area(doubt, foreground & (nearest < RADIUS_MM), foreground & (nearest > RADIUS_MM + APART_MM)))
        rows.append([*found, np.mean(found)])
        print(f"| {case_name(path)} | {' | '.join(f'{value:.3f}' for value in rows[-1])} |", flush=True)
    print(f"| mean of {len(rows)} | {' | '.join(f'{value:.3f}' for value in np.mean(rows, axis=0))} |")


if __name__ == "__main__":
    main()
