"""The picture of a training: losses, scores, learning rate over epochs. Knows matplotlib; computes no score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw_progress(history: list[dict[str, Any]], path: Path) -> None:
    """Draw the epochs so far, whole or not at all.

    Args:
        history: the lines of ``metrics.jsonl``, in order.
        path: the PNG.
    """
    figure = Figure(figsize=(9, 10))
    figure.subplots_adjust(left=0.1, right=0.9, top=0.97, bottom=0.06, hspace=0.08)
    canvas = FigureCanvasAgg(figure)  # not pyplot: no display, no state shared with the caller
    losses, scores, rate = figure.subplots(3, 1, sharex=True)
    _curves(losses, history, "losses")
    losses.set_ylabel("loss, mean of the epoch")
    if any(value > 0 for entry in history for value in entry["losses"].values()):
        losses.set_yscale("log")
    _curves(scores, history, "validation", without=("psnr", "cycle_psnr", "shift_voxels"))
    scores.set_ylabel("validation")
    decibels = scores.twinx()
    _curves(decibels, history, "validation", only=("psnr", "cycle_psnr"), style="--")
    decibels.set_ylabel("PSNR (dB, dashed)")
    rate.plot([entry["epoch"] for entry in history], [entry["lr"] for entry in history], marker=".")
    rate.set_ylabel("learning rate")
    rate.set_xlabel("epoch")
    partial = path.with_name(f".{path.name}.partial")
    canvas.print_png(str(partial))
    partial.replace(path)


def _curves(
    axes: Axes,
    history: list[dict[str, Any]],
    part: str,
    only: tuple[str, ...] | None = None,
    without: tuple[str, ...] = (),
    style: str = "-",
) -> None:
    """One curve for each number of a part of the history, where it is known."""
    names = list(dict.fromkeys(name for entry in history for name in entry[part]))
    for name in names:
        if name in without or (only is not None and name not in only):
            continue
        points = [(entry["epoch"], entry[part][name]) for entry in history if entry[part].get(name) is not None]
        axes.plot(*zip(*points, strict=True), style, marker=".", label=name)
    if axes.lines:
        axes.legend(loc="upper right" if style == "-" else "lower right", fontsize="small")
