"""What a training leaves to read: training.log, metrics.jsonl, progress.png, and the lines of the terminal."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

from annotated_types import Ge, Le
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from udeansr.distributed import is_leader
from udeansr.errors import UdeansrError
from udeansr.files import whole_file, write_whole
from udeansr.progress import ProgressBar, progress_bar
from udeansr.strict_json import from_json
from udeansr.training.interruption import StoppedError

_SCORES = {
    "validation: SSIM, score": ("ssim", "cycle_ssim", "score", "spectrum_distance"),
    "validation: PSNR (dB)": ("psnr", "cycle_psnr"),
}
"""What is drawn into one panel of validation, by the panel's label."""


Count = Annotated[int, Ge(0), Le(10**12)]


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``metrics.jsonl``.

    Attributes:
        epoch: its number; 0 before any training.
        iterations: that it had.
        losses: means over them, named ``player.loss``.
        validation: scores of the averaged weights; None where one is no finite number.
        learning_rate: of the epoch.
        seconds: "computing", "waiting" for batches, "validation".
        memory_gb: most that was in use in the epoch (:mod:`udeansr.peak_memory`), GB; None where nobody says.
    """

    epoch: Count
    iterations: Count
    losses: dict[str, float]
    validation: dict[str, float | list[float | None] | None]
    learning_rate: float
    seconds: dict[str, float]
    memory_gb: float | None = None

    def line(self) -> str:
        """The epoch as JSON, in one line."""
        return json.dumps(_finite(vars(self)), allow_nan=False) + "\n"


def draw_progress(history: list[EpochRecord], path: Path) -> None:
    """Draw the epochs so far, whole or not at all.

    Args:
        history: in order.
        path: the PNG.
    """
    figure = Figure(figsize=(11, 11))
    canvas = FigureCanvasAgg(figure)  # not pyplot: no display, no state shared with the caller
    figure.subplots_adjust(left=0.08, right=0.75, top=0.98, bottom=0.05, hspace=0.08)
    losses, *scores, rate = figure.subplots(2 + len(_SCORES), 1, sharex=True)
    names = dict.fromkeys(name for entry in history for name in entry.losses)
    _panel(losses, "loss, mean of the epoch", [(entry.epoch, entry.losses) for entry in history], tuple(names))
    if any(value > 0 for entry in history for value in entry.losses.values()):
        losses.set_yscale("log")
    for axes, (label, kinds) in zip(scores, _SCORES.items(), strict=True):
        _panel(axes, label, [(entry.epoch, entry.validation) for entry in history], kinds)
    rate.plot([entry.epoch for entry in history], [1e4 * entry.learning_rate for entry in history], marker=".")
    rate.set(ylabel="learning rate (1e-4)", xlabel="epoch", ylim=(0, None))
    rate.xaxis.set_major_locator(MaxNLocator(integer=True))
    with whole_file(path) as partial:
        canvas.print_png(str(partial))


def _panel(axes: Axes, label: str, values: Sequence[tuple[int, Mapping[str, Any]]], names: tuple[str, ...]) -> None:
    """One curve for each name, where it is known; what tricubic reaches is a dotted line."""
    axes.set_ylabel(label)
    for name in names:
        points = [(epoch, known[name]) for epoch, known in values if isinstance(known.get(name), int | float)]
        if points:
            axes.plot(*zip(*points, strict=True), marker=".", label=name)
        for reference in (known.get(f"tricubic_{name}") for _, known in values):
            if isinstance(reference, int | float):
                axes.axhline(reference, linestyle=":", color="gray", label=f"{name} of tricubic")
    if axes.lines:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")


def epoch_bar(epoch: int, epochs: int, done: int, iterations: int) -> ProgressBar:
    """The bar of one epoch, with its ETA.

    Args:
        epoch: its number, from 1.
        epochs: in all.
        done: iterations of it that an earlier call did.
        iterations: it has.
    """
    return progress_bar(f"epoch {epoch}/{epochs}", iterations, initial=done, leave=False, shown=is_leader())


def show_losses(bar: ProgressBar, losses: dict[str, float]) -> None:
    """Put each player's sum of losses at the end of the bar."""
    bar.set_postfix_str(", ".join(f"{player} {loss:.4f}" for player, loss in by_player(losses).items()), refresh=False)


def epoch_line(entry: EpochRecord, epochs: int, seconds_left: float = float("inf")) -> str:
    """One epoch in one line.

    Args:
        entry: of the epoch.
        epochs: in all.
        seconds_left: after which training ends, whatever is left to do.
    """
    scores, seconds = entry.validation, entry.seconds
    parts = [f"{player} {loss:.4f}" for player, loss in by_player(entry.losses).items()]
    parts += [f"{name} {value:.4f}" for name, value in scores.items() if isinstance(value, float)]
    shift: Any = scores["shift_voxels"]
    parts.append("shift " + " ".join(f"{number:.3f}" for number in shift) + " HR voxels")
    spent = sum(seconds.values())
    times = f"{duration(spent)} ({duration(seconds['waiting'])} waiting for data)"
    left = max(0.0, min((epochs - entry.epoch) * spent, seconds_left))
    ahead = f", about {duration(left)} left" if left and entry.epoch else ""
    parts.append(f"learning rate {entry.learning_rate:.2g}")
    return f"epoch {entry.epoch}/{epochs}: {', '.join(parts)}; {times}{ahead}"


def by_player(losses: dict[str, float]) -> dict[str, float]:
    """The sum of losses of each player, from losses named ``player.loss``."""
    sums: dict[str, float] = {}
    for name, loss in losses.items():
        player = name.split(".")[0]
        sums[player] = sums.get(player, 0.0) + loss
    return sums


def duration(seconds: float) -> str:
    """A time in words: 42 s, 3 min, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


LOG, METRICS, PROGRESS, TENSORBOARD = "training.log", "metrics.jsonl", "progress.png", "tensorboard"


class RunLog:
    """The record of a run; open it as a context, so that ``training.log`` takes what the library logs meanwhile."""

    def __init__(self, folder: Path, epochs_done: int, tensorboard: bool) -> None:
        """Go on from what is there; epochs that the checkpoint does not know will be done, and told, again.

        Args:
            folder: where the run lies.
            epochs_done: epochs that are complete in the checkpoint; -1 before any validation.
            tensorboard: whether to write TensorBoard events as well.
        """
        self._folder = folder
        self.history = [entry for entry in read_epochs(folder / METRICS) if entry.epoch <= epochs_done]
        self._write_metrics()
        self._board = _open_tensorboard(folder / TENSORBOARD) if tensorboard else None
        self._handler = _LogFile(folder / LOG, encoding="utf-8", delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def __enter__(self) -> RunLog:
        """Begin to write ``training.log``."""
        package = logging.getLogger("udeansr")
        self._level = package.level
        if package.getEffectiveLevel() > logging.INFO:
            package.setLevel(logging.INFO)
        package.addHandler(self._handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the end, also a sad one, and close."""
        package = logging.getLogger("udeansr")
        if error is not None:
            self.note(str(error), logging.INFO if isinstance(error, StoppedError) else logging.ERROR)
        package.removeHandler(self._handler)
        package.setLevel(self._level)
        self._handler.close()
        if self._board is not None:
            self._board.close()

    def note(self, text: str, level: int = logging.INFO) -> None:
        """Write a line that ``training.log`` alone has."""
        self._handler.handle(logging.getLogger("udeansr").makeRecord("udeansr", level, "", 0, "%s", (text,), None))

    def record(self, entry: EpochRecord) -> None:
        """Add an epoch; redraw the picture."""
        entry = EpochRecord(**_finite(vars(entry)))
        self.history.append(entry)
        self._write_metrics()
        draw_progress(self.history, self._folder / PROGRESS)
        if self._board is not None:
            numbers = {f"losses/{name}": value for name, value in entry.losses.items()}
            numbers |= {f"validation/{name}": value for name, value in entry.validation.items()}
            for name, value in {**numbers, "learning_rate": entry.learning_rate}.items():
                if isinstance(value, float):
                    self._board.add_scalar(name, value, entry.epoch)

    def _write_metrics(self) -> None:
        write_whole(self._folder / METRICS, "".join(entry.line() for entry in self.history))


class _LogFile(logging.FileHandler):
    """A log that a full disk ends, in silence: what is worth stopping for is told by whoever writes it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Go without."""

    def close(self) -> None:
        """Close, whatever could not be written any more."""
        with suppress(OSError):
            super().close()


def check_tensorboard() -> None:
    """See that TensorBoard can be written.

    Raises:
        UdeansrError: if the package is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise UdeansrError(
            "--tensorboard: the package tensorboard is not installed; pip install tensorboard, or leave the flag out"
        ) from error


def read_epochs(path: Path) -> list[EpochRecord]:
    """The epochs of ``metrics.jsonl``; a last line that a killed run left half-written is left out."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            entries.append(from_json(EpochRecord, json.loads(line), str(path)))
        except (ValueError, RecursionError, UdeansrError):
            logging.getLogger(__name__).warning("%s: a line is broken and is left out: %.40s", path, line)
    return entries


def _finite(value: Any) -> Any:
    """The same with None for what JSON has no number for, an infinite PSNR for example."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _open_tensorboard(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
