"""Checkpoints: written whole or not at all, read without running any code in them; the random states they hold."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
import torch
from torch import Tensor

import udeansr
from udeansr.errors import UdeansrError
from udeansr.files import write_whole
from udeansr.strict_json import NonNegativeFloat, NonNegativeInt, from_json
from udeansr.training.settings import TrainingRecord
from udeansr.training.trainer import Trainer

LATEST, BEST, FINAL = "latest.pt", "best.pt", "final.pt"
FORMAT = 2
KEYS = (
    *("format", "version", "plan", "configuration", "method", "settings", "run", "weights", "averaged"),
    *("optimizers", "scaler", "schedule", "random", "progress"),
)
OPTIONAL_KEYS = ("domain",)
"""Left out where it was not measured."""

ROOM = "make room; the checkpoints that are there are whole: go on with the same command and --continue"
"""What to do when the disk refuses a checkpoint."""


@dataclass(frozen=True)
class BestEpoch:
    """The epoch of the best checkpoint, and its score."""

    epoch: int
    score: float


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: epochs complete, with their validation.
        iteration: iterations done in all.
        best: that of ``best.pt``; None before there is one.
        seconds: spent in all calls.
        losses: sums over the iterations of the epoch that is not complete.
    """

    epoch: NonNegativeInt = 0
    iteration: NonNegativeInt = 0
    best: BestEpoch | None = None
    seconds: NonNegativeFloat = 0.0
    losses: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], where: str) -> Progress:
        """The progress of a checkpoint.

        Raises:
            UdeansrError: naming what is unknown, missing or of no sense.
        """
        return from_json(cls, state["progress"], where)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; whoever reads ``path`` finds the old one or the new one, never half of one.

    Args:
        path: the file; its folder exists.
        state: all of ``KEYS`` but format and version, and any of ``OPTIONAL_KEYS``; made of tensors, numbers, strings,
            lists and dicts only.
    Raises:
        ValueError: if a key is missing or unknown.
        UdeansrError: if the disk refuses.
    """
    state = {"format": FORMAT, "version": udeansr.__version__, **state}
    if set(state) - set(OPTIONAL_KEYS) != set(KEYS):
        raise ValueError(f"keys missing or unknown: {sorted((set(state) - set(OPTIONAL_KEYS)) ^ set(KEYS))}")
    content = BytesIO()
    torch.save(state, content)  # to the disk it would raise what says nothing of the disk
    write_whole(path, content.getbuffer(), ROOM)


def check_space(folder: Path) -> None:
    """See that the disk can take all checkpoints of a training whose latest one is there, and one more beside them.

    Raises:
        UdeansrError: if it cannot.
    """
    size = (folder / LATEST).stat().st_size
    there = sum((folder / name).stat().st_size for name in (LATEST, BEST, FINAL) if (folder / name).is_file())
    needed, usage = max(size, 4 * size - there), shutil.disk_usage(folder)
    if usage.total and usage.free < needed:  # there are file systems that say nothing of themselves
        raise UdeansrError(
            f"{folder}: the disk has {usage.free / 2**20:.0f} MiB left, and the checkpoints need "
            f"{needed / 2**20:.0f}; {ROOM}"
        )


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint, its tensors on ``device``; no code in it is run.

    Raises:
        UdeansrError: if the file is missing, broken, or no checkpoint of ours, or of a newer version.
    """
    if not path.is_file():
        raise UdeansrError(f"{path}: there is no such checkpoint; expected {LATEST}, {BEST} or {FINAL} of a training")
    try:
        if not is_zipfile(path):  # torch would try older formats, and warn of them
            raise BadZipFile
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch's reader ends in many ways where a byte is not what it was
        raise UdeansrError(
            f"{path}: it cannot be read as a checkpoint of udeansr_train; it is broken or foreign. "
            "Take another (latest.pt, best.pt, final.pt), or train again"
        ) from error
    if not isinstance(state, dict) or "format" not in state:
        raise UdeansrError(f"{path}: holds weights of another program; expected a checkpoint of udeansr_train")
    if state["format"] != FORMAT:
        raise UdeansrError(
            f"{path}: checkpoint format {state['format']!r}, written by udeansr {state.get('version')!r}; udeansr "
            f"{udeansr.__version__} reads format {FORMAT}. Install the version that wrote it, or train again"
        )
    missing = [key for key in KEYS if key not in state]
    if missing:
        raise UdeansrError(f"{path}: the checkpoint has no '{missing[0]}'; it is broken, take another or train again")
    _check_tensors(path, state)
    return state


def checkpoint_file(path: Path, checkpoint: str = "best") -> Path:
    """The file that a path means: itself, or a checkpoint in the folder of a training.

    Raises:
        UdeansrError: if the folder has none of that name.
    """
    if not path.is_dir():
        return path
    if not (path / f"{checkpoint}.pt").is_file():
        there = ", ".join(found.name for found in sorted(path.glob("[!.]*.pt"))) or "no .pt file"
        raise UdeansrError(f"{path}: no {checkpoint}.pt, but {there}; give a .pt file or choose with --checkpoint")
    return path / f"{checkpoint}.pt"


def check_weights(state: dict[str, Any], expected: dict[str, Tensor], where: str) -> None:
    """See that a checkpoint holds the weights that its method has here.

    Args:
        state: as :func:`load_checkpoint` gave it.
        expected: the method's own ``state_dict``.
        where: the checkpoint, for messages.
    Raises:
        UdeansrError: naming a weight that is missing, unknown or of another shape.
    """
    if differing := other_weights(state["weights"], expected):
        raise UdeansrError(
            f"{where}: holds other weights than {state['method']} has in udeansr {udeansr.__version__} "
            f"({differing}); it was made by another version ({state['version']}): install that one, or train again "
            "with --overwrite"
        )


def other_weights(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """How weights differ from those that are expected, in names and shapes; "" if they do not."""
    shapes = [{name: tuple(weight.shape) for name, weight in weights.items()} for weights in (found, expected)]
    other = sorted(name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name))
    if not other:
        return ""
    here, wanted = (one.get(other[0], "none") for one in shapes)
    return f"{len(other)} of them, first {other[0]!r}: {here}; expected {wanted}"


def _check_tensors(path: Path, state: dict[str, Any]) -> None:
    """Refuse weights that are none, or not finite."""
    for key in ("weights", "averaged"):
        weights = state[key]
        if not isinstance(weights, dict) or not all(isinstance(one, Tensor) for one in weights.values()):
            raise UdeansrError(f"{path}: its '{key}' are no weights by name; take another checkpoint or train again")
        broken = next((name for name, one in sorted(weights.items()) if not one.isfinite().all()), None)
        if broken is not None:
            raise UdeansrError(
                f"{path}: the weight {broken!r} of '{key}' is not finite; take another checkpoint or train again"
            )


def random_state() -> dict[str, Any]:
    """The states of Python's, numpy's and torch's generators as numbers, strings, lists and tensors."""
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [str(kind), [int(key) for key in keys], int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """The way back from :func:`random_state`; CUDA's are left alone where the number of devices differs."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"].cpu())
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Let what runs inside leave no trace in the random states."""
    state = random_state()
    try:
        yield
    finally:
        restore_random_state(state)


def seed_everything(seed: int) -> None:
    """Begin all generators from one number."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


_logger = logging.getLogger(__name__)


def save_beginning(folder: Path, trainer: Trainer, record: TrainingRecord) -> Path:
    """Write the checkpoints of a training that has nothing to learn from until a volume comes.

    Args:
        folder: for the checkpoints; it is there.
        trainer: with the method's first weights, which the run's seed decides.
        record: what is trained and how.
    Returns: ``final.pt``. ``best.pt`` and ``latest.pt`` hold the same, so that it is found like any other model.
    """
    parts = {"schedule": {}, "random": random_state(), "progress": asdict(Progress())}
    for name in (FINAL, BEST, LATEST):  # the latest last: with it, all are there
        save_checkpoint(folder / name, {**record.as_dict(), **trainer.state_dict(), **parts})
    _logger.info(
        "%s learns in prediction, on each volume anew; there is nothing to learn before, so the first weights are the "
        "model", trainer.method.name,
    )  # fmt: skip
    return folder / FINAL
