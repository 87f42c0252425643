"""The page of a training: losses by player, validation, learning rate, time, the plan with its reasons, settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from udeansr.errors import UdeansrError
from udeansr.planning.plan import Plan
from udeansr.planning.summary import plan_table
from udeansr.report.charts import line_chart
from udeansr.report.page import picture, write_page
from udeansr.training.checkpoint import BEST, FINAL, LATEST, load_checkpoint
from udeansr.training.explanations import EXPLANATIONS, SAMPLES
from udeansr.training.log import METRICS, EpochRecord, by_player, duration, read_epochs
from udeansr.training.run_folder import RunFile, read_run

PAGE = "training.html"
VALIDATION = {
    "PSNR, dB": ("psnr", "cycle_psnr", "tricubic_psnr"),
    "SSIM": ("ssim", "cycle_ssim", "tricubic_ssim"),
    "distance of spectra": ("spectrum_distance",),
    "score that chooses the best": ("score",),
}
"""Panels of validation, by their label."""

MOST_PICTURES, MOST_SAMPLES = 6, 12


def write_training_page(folder: Path, path: Path | None = None) -> Path:
    """Write the page of a training.

    Args:
        folder: where ``udeansr_train`` left it.
        path: of the page; None: in that folder.
    Returns: the path.
    Raises:
        UdeansrError: if there is no training, or the page cannot be written.
    """
    history = read_epochs(folder / METRICS)
    if not history:
        raise UdeansrError(
            f"{folder}: no {METRICS} with an epoch; expected the folder of a training; udeansr_train first"
        )
    run = read_run(folder)
    return write_page(
        path or folder / PAGE,
        "training.html.j2",
        f"{run.method}, {run.dataset}, {run.configuration}",
        warnings=training_warnings(history),
        facts=_facts(run, history),
        charts=training_charts(history),
        plan=_plan(folder),
        settings=sorted({**run.settings, **vars(run.run)}.items()),
        samples=_samples(folder),
        pictures=_pictures(folder),
    )


def training_warnings(history: Sequence[EpochRecord]) -> list[str]:
    """What looks wrong in a training, in plain words."""
    found, last = [], history[-1]
    broken = [entry.epoch for entry in history if any(not _is_number(loss) for loss in entry.losses.values())]
    if broken:
        found.append(f"Losses are no number from epoch {broken[0]} on: the learning rate may be too high.")
    psnr, plain = _last(history, "psnr"), _last(history, "tricubic_psnr")
    if psnr is not None and plain is not None and psnr < plain:
        found.append(f"After epoch {last.epoch} SR has {psnr:.2f} dB, tricubic interpolation {plain:.2f} dB.")
    shifts = last.validation.get("shift_voxels")
    if isinstance(shifts, list):
        worst = max((abs(shift) for shift in shifts if shift is not None), default=0.0)
        if worst > 0.1:
            found.append(f"SR is shifted against HR by {worst:.2f} voxels along an axis; expected 0.")
    waiting, computing = (sum(entry.seconds.get(key, 0.0) for entry in history) for key in ("waiting", "computing"))
    if waiting > computing:
        found.append("More time went into waiting for batches than into computing: give --workers, or a faster disk.")
    return found


def training_charts(history: Sequence[EpochRecord]) -> list[Markup]:
    """Losses by player, validation, learning rate and time against epochs; what was never measured is left out."""
    players: dict[str, list[tuple[float, float]]] = {}
    for entry in history:
        for player, loss in by_player({name: loss for name, loss in entry.losses.items() if _is_number(loss)}).items():
            players.setdefault(player, []).append((entry.epoch, loss))
    positive = all(loss > 0 for points in players.values() for _, loss in points)
    charts = [line_chart("losses, by player", players, "epoch", "sum of losses", log_y=positive)] if players else []
    for label, names in VALIDATION.items():
        curves = {name: _curve(history, lambda entry, name=name: entry.validation.get(name)) for name in names}
        for name in (name for name in names if name.startswith("tricubic") and len(curves[name]) == 1):
            curves[name] = [(entry.epoch, curves[name][0][1]) for entry in history]  # it was measured once
        if any(curves.values()):
            charts.append(line_chart(f"validation: {label}", curves, "epoch", label))
    rate = {"learning rate": _curve(history, lambda entry: entry.learning_rate)}
    charts.append(line_chart("learning rate", rate, "epoch", "learning rate"))
    kinds = dict.fromkeys(kind for entry in history for kind in entry.seconds)
    seconds = {kind: _curve(history, lambda entry, kind=kind: entry.seconds.get(kind)) for kind in kinds}
    charts.append(line_chart("time of an epoch", seconds, "epoch", "seconds"))
    if memory := _curve(history, lambda entry: entry.memory_gb):
        charts.append(line_chart("memory", {"memory": memory}, "epoch", "most in use, GB", from_zero=True))
    return charts


def _curve(history: Sequence[EpochRecord], value: Callable[[EpochRecord], Any]) -> list[tuple[float, float]]:
    return [(entry.epoch, value(entry)) for entry in history if _is_number(value(entry))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _last(history: Sequence[EpochRecord], name: str) -> float | None:
    """The last value of a score that is one."""
    return next((v for entry in reversed(history) if isinstance(v := entry.validation.get(name), float)), None)


def _facts(run: RunFile, history: Sequence[EpochRecord]) -> list[tuple[str, str]]:
    scores = [(score, entry.epoch) for entry in history if isinstance(score := entry.validation.get("score"), float)]
    best = max(scores, default=None)
    seconds = sum(sum(entry.seconds.values()) for entry in history)
    iterations = sum(entry.iterations for entry in history)
    return [
        ("method", run.method),
        ("dataset, configuration", f"{run.dataset}, {run.configuration}"),
        ("epochs", f"{history[-1].epoch} of {run.run.epochs}, {iterations} iterations"),
        ("time", duration(seconds)),
        ("best score", "none" if best is None else f"{best[0]:.4f}, after epoch {best[1]}"),
        ("computed on", f"{run.computed.device}, {run.computed.precision}"),
        ("versions", f"udeansr {run.version}, torch {run.computed.torch}, Python {run.computed.python}"),
    ]


def _plan(folder: Path) -> str:
    """Every value of the plan with its reason, out of a checkpoint; empty where none can be read."""
    for name in (LATEST, FINAL, BEST):
        if (folder / name).is_file():
            state = load_checkpoint(folder / name)
            return plan_table(Plan.from_dict(state["plan"], str(folder / name)))
    return ""


def _samples(folder: Path) -> list[tuple[str, str]]:
    """The slice of a validation subject over the epochs, and what to compare it with: label and data URI."""
    epochs = {int(path.stem.removeprefix("epoch_")): path for path in (folder / SAMPLES).glob("epoch_*.png")}
    shown = sorted(epochs)
    shown = shown if len(shown) <= MOST_SAMPLES else [*shown[: MOST_SAMPLES // 2], *shown[-MOST_SAMPLES // 2 :]]
    labels = [(f"epoch {epoch}", epochs[epoch]) for epoch in shown]
    labels[:0] = [("tricubic", folder / SAMPLES / "tricubic.png")]
    labels.append(("HR", folder / SAMPLES / "HR.png"))
    return [(label, picture(path.read_bytes())) for label, path in labels if path.is_file()]


def _pictures(folder: Path) -> list[tuple[str, str]]:
    """What the method drew of what it has learnt: name and data URI."""
    paths = sorted((folder / EXPLANATIONS).glob("*.png"))[:MOST_PICTURES]
    return [(path.stem, picture(path.read_bytes())) for path in paths]
