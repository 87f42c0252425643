"""What a training leaves to read: training.log, metrics.jsonl, progress.png. Knows files; computes no score."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from types import TracebackType
from typing import Any

from udeansr.errors import UdeansrError
from udeansr.training.interruption import StoppedError
from udeansr.training.progress_plot import draw_progress

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
        self.history = [entry for entry in _read_lines(folder / METRICS) if entry["epoch"] <= epochs_done]
        partial = folder / f".{METRICS}.partial"
        partial.write_text("".join(_line(entry) for entry in self.history), encoding="utf-8")
        partial.replace(folder / METRICS)
        self._board = _open_tensorboard(folder / TENSORBOARD) if tensorboard else None
        self._handler = logging.FileHandler(folder / LOG, encoding="utf-8", delay=True)
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
            level = logging.INFO if isinstance(error, StoppedError) else logging.ERROR
            self._handler.handle(package.makeRecord("udeansr", level, "", 0, "%s", (error,), None))
        package.removeHandler(self._handler)
        package.setLevel(self._level)
        self._handler.close()
        if self._board is not None:
            self._board.close()

    def record(self, entry: dict[str, Any]) -> None:
        """Add an epoch: its number, ``losses``, ``validation``, ``lr`` and times; redraw the picture."""
        entry = _finite(entry)
        self.history.append(entry)
        with (self._folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(_line(entry))
        draw_progress(self.history, self._folder / PROGRESS)
        if self._board is not None:
            numbers = {f"losses/{name}": value for name, value in entry["losses"].items()}
            numbers |= {f"validation/{name}": value for name, value in entry["validation"].items()}
            for name, value in {**numbers, "lr": entry["lr"]}.items():
                if isinstance(value, float):
                    self._board.add_scalar(name, value, entry["epoch"])


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


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """The entries of ``metrics.jsonl``; a last line that a killed run left half-written is left out."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            entries.append(json.loads(line))
        except ValueError:
            logging.getLogger(__name__).warning("%s: a line is broken and is left out: %.40s", path, line)
    return entries


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, allow_nan=False) + "\n"


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
