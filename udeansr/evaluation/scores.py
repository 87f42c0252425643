"""Scores of many images, and the tables a person reads."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from udeansr.files import write_whole
from udeansr.strict_json import write_json

METRICS = {
    "psnr_db": "PSNR dB",
    "ssim_2d": "SSIM 2-D",
    "ssim_3d": "SSIM 3-D",
    "nrmse": "NRMSE",
    "foreground_psnr_db": "PSNR dB, foreground",
    "foreground_ssim_2d": "SSIM 2-D, foreground",
    "foreground_ssim_3d": "SSIM 3-D, foreground",
    "foreground_nrmse": "NRMSE, foreground",
    "spectrum_low_db": "low dB, spectrum",
    "spectrum_middle_db": "middle dB, spectrum",
    "spectrum_high_db": "high dB, spectrum",
    "shift_voxels": "shift voxels",
    "gain": "gain",
}
"""Keys of the scores of one image, and how a table heads them."""

BLOCKS = {
    "whole volume": ("psnr_db", "ssim_2d", "ssim_3d", "nrmse"),
    "foreground": ("foreground_psnr_db", "foreground_ssim_2d", "foreground_ssim_3d", "foreground_nrmse"),
    "spectrum, grid and level": (
        "spectrum_low_db",
        "spectrum_middle_db",
        "spectrum_high_db",
        "shift_voxels",
        "gain",
    ),
}
"""The blocks of the printed table, by their titles."""

SUMMARY_FILE, SCORES_FILE = "summary.json", "scores.csv"


@dataclass(frozen=True)
class FolderScores:
    """The scores of the images of one folder.

    Attributes:
        folder: as the user named it.
        cases: image name -> metric -> score; not a number where a metric has none.
    """

    folder: str
    cases: dict[str, dict[str, float]]

    def mean(self, metric: str) -> float:
        """The mean over the images."""
        return float(np.mean([scores[metric] for scores in self.cases.values()]))

    def std(self, metric: str) -> float:
        """The standard deviation over the images (n - 1); not a number for one image."""
        values = [scores[metric] for scores in self.cases.values()]
        return float(np.std(values, ddof=1)) if len(values) > 1 and np.isfinite(values).all() else math.nan


@dataclass(frozen=True)
class Scores:
    """The scores of one or more folders against one reference.

    Attributes:
        reference: as the user named it.
        folders: in the order in which they were given.
    """

    reference: str
    folders: tuple[FolderScores, ...]

    def table(self) -> str:
        """Mean and standard deviation over the images, one folder a row; the images themselves above if few."""
        lines = []
        count = len(self.folders[0].cases)
        for title, keys in BLOCKS.items():
            heads = [METRICS[key].split(",")[0] for key in keys]
            rows = [[folder.folder, *(_mean_and_std(folder, key) for key in keys)] for folder in self.folders]
            lines += ["", *_aligned([f"{title}, {count} image{'s' if count > 1 else ''}", *heads], rows)]
        return "\n".join(lines[1:])

    def save(self, folder: Path) -> None:
        """Write ``summary.json`` and ``scores.csv``, each whole or not at all; what has no number is null or empty."""
        summary = {
            "reference": self.reference,
            "folders": [
                {
                    "folder": item.folder,
                    "mean": {metric: _number(item.mean(metric)) for metric in METRICS},
                    "std": {metric: _number(item.std(metric)) for metric in METRICS},
                    "cases": {
                        name: {metric: _number(score) for metric, score in scores.items()}
                        for name, scores in item.cases.items()
                    },
                }
                for item in self.folders
            ],
        }
        write_json(summary, folder / SUMMARY_FILE)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["folder", "case", *METRICS])
        for item in self.folders:
            for name, scores in item.cases.items():
                writer.writerow([item.folder, name, *(_number(scores[metric]) for metric in METRICS)])
        write_whole(folder / SCORES_FILE, text.getvalue())


def _number(score: float) -> float | None:
    """A score as JSON takes it: it knows no infinity."""
    return score if math.isfinite(score) else None


def _mean_and_std(folder: FolderScores, metric: str) -> str:
    """``31.42 ± 0.55``; without the deviation for one image, ``-`` where there is no score."""
    digits = 2 if metric.endswith("_db") else 4
    mean, std = folder.mean(metric), folder.std(metric)
    if math.isnan(mean):
        return "-"
    return f"{mean:z.{digits}f}" + ("" if math.isnan(std) else f" ± {std:.{digits}f}")


def _aligned(head: list[str], rows: list[list[str]]) -> list[str]:
    """Rows of text in columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]
