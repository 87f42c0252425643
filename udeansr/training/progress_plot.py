"""The picture of a training: losses, scores, learning rate over epochs. Knows matplotlib; computes no score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_SCORES = {
    "validation: SSIM, score": ("ssim", "cycle_ssim", "score", "spectrum_distance"),
    "validation: PSNR (dB)": ("psnr", "cycle_psnr"),
}
"""What is drawn into one panel of validation, by the panel's label."""


def draw_progress(history: list[dict[str, Any]], path: Path) -> None:
    """Draw the epochs so far, whole or not at all.

    Args:
        history: the lines of ``metrics.jsonl``, in order.
        path: the PNG.
    """
    figure = Figure(figsize=(11, 11))
    canvas = FigureCanvasAgg(figure)  # not pyplot: no display, no state shared with the caller
    figure.subplots_adjust(left=0.08, right=0.75, top=0.98, bottom=0.05, hspace=0.08)
    losses, *scores, rate = figure.subplots(2 + len(_SCORES), 1, sharex=True)
    names = dict.fromkeys(name for entry in history for name in entry["losses"])
    _panel(losses, "loss, mean of the epoch", history, "losses", tuple(names))
    if any(value > 0 for entry in history for value in entry["losses"].values()):
        losses.set_yscale("log")
    for axes, (label, kinds) in zip(scores, _SCORES.items(), strict=True):
        _panel(axes, label, history, "validation", kinds)
    rate.plot([entry["epoch"] for entry in history], [1e4 * entry["lr"] for entry in history], marker=".")
    rate.set(ylabel="learning rate (1e-4)", xlabel="epoch", ylim=(0, None))
    rate.xaxis.set_major_locator(MaxNLocator(integer=True))
    partial = path.with_name(f".{path.name}.partial")
    canvas.print_png(str(partial))
    partial.replace(path)


def _panel(axes: Axes, label: str, history: list[dict[str, Any]], part: str, names: tuple[str, ...]) -> None:
    """One curve for each name, where it is known; what tricubic reaches is a dotted line."""
    axes.set_ylabel(label)
    for name in names:
        points = [(entry["epoch"], entry[part][name]) for entry in history if entry[part].get(name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker=".", label=name)
        for reference in (entry[part].get(f"tricubic_{name}") for entry in history):
            if reference is not None:
                axes.axhline(reference, linestyle=":", color="gray", label=f"{name} of tricubic")
    if axes.lines:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
