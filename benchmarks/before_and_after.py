"""Draw scans beside their SR, across the slices: coronal and sagittal planes, LR voxels as they are."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from udeansr.figures.plane import draw_plane, on_screen
from udeansr.image.files import read_volume

VIEWS = ("coronal", "sagittal")
PANEL_IN = (2.4, 2.2)
BRIGHTEST = 99.7
"""Percentile of the LR that is white, in both."""


def main() -> None:
    """Write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lr", type=Path, help="folder of scans")
    parser.add_argument("sr", type=Path, help="folder of their SR")
    parser.add_argument("--cases", nargs="+", required=True, help="names of files, without their endings")
    parser.add_argument("-o", "--output", type=Path, required=True, help="PNG")
    arguments = parser.parse_args()
    draw(arguments.lr, arguments.sr, arguments.cases, arguments.output)


def draw(lr: Path, sr: Path, cases: list[str], output: Path) -> None:
    """A row a case: LR and SR in each view, through the middle of the volume."""
    columns, rows = 2 * len(VIEWS), len(cases)
    figure = Figure(figsize=(PANEL_IN[0] * columns, PANEL_IN[1] * rows), facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, case in enumerate(cases):
        volumes = [read_volume(next(folder.glob(f"{case}.nii*"))) for folder in (lr, sr)]
        white = np.percentile(volumes[0].voxels, BRIGHTEST)
        for column in range(columns):
            panel, which = axes[row, column], column % 2
            volume = on_screen(volumes[which], VIEWS[column // 2])
            middle = volume.voxels[len(volume.voxels) // 2]
            draw_plane(panel, middle, volume.geometry.spacing_mm[1:], cmap="gray", vmin=0, vmax=white)
            panel.set_title(f"{case} {'SR' if which else 'LR'}", fontsize=6)
    figure.tight_layout(pad=0.3)
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    main()
