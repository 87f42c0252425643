"""The folder of one training: may it be begun, continued, overwritten."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import udeansr
from udeansr.errors import UdeansrError
from udeansr.files import remove_partials
from udeansr.paths import RUN_FILE
from udeansr.strict_json import read_json_as, write_json
from udeansr.training.checkpoint import BEST, FINAL, LATEST, load_checkpoint
from udeansr.training.computed import Computed
from udeansr.training.explanations import EXPLANATIONS, SAMPLES
from udeansr.training.log import LOG, METRICS, PROGRESS, TENSORBOARD, read_epochs
from udeansr.training.settings import RunSettings, TrainingRecord

MODES = ("new", "continue", "overwrite")
CHECKPOINTS = (LATEST, BEST, FINAL)
FILES = (*CHECKPOINTS, RUN_FILE, LOG, METRICS, PROGRESS)

logger = logging.getLogger(__name__)


def open_run_folder(folder: Path, mode: str) -> dict[str, Any] | None:
    """Make the folder ready for a training; call it while its lock is held.

    Args:
        folder: where the training lies or will lie.
        mode: ``new``, ``continue`` or ``overwrite``; the last removes the files of the former training, no others.
    Returns: the latest checkpoint if the training is continued, else None: it begins.
    Raises:
        UdeansrError: if there is a training where a new one was asked for, or one that is to be continued has lost its
            latest checkpoint.
        ValueError: on another mode.
    """
    check_mode(folder, mode)
    files = [folder / name for name in FILES]
    for file in files:
        remove_partials(file)  # left by a call that was killed while it wrote
    if mode == "continue" and (folder / LATEST).is_file():
        return load_checkpoint(folder / LATEST)
    for file in files:
        file.unlink(missing_ok=True)
    for name in (TENSORBOARD, EXPLANATIONS, SAMPLES):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return None


def check_mode(folder: Path, mode: str) -> None:
    """Refuse a mode that does not go with what is in a folder; raises as :func:`open_run_folder`.

    A call that was killed before its first checkpoint has left nothing to lose, so that any mode begins there.
    """
    if mode not in MODES:
        raise ValueError(f"mode '{mode}'; expected one of {', '.join(MODES)}")
    there = [name for name in FILES if (folder / name).exists()]
    has_learnt = any(name in there for name in CHECKPOINTS) or bool(read_epochs(folder / METRICS))
    if mode == "new" and has_learnt:
        raise UdeansrError(
            f"{folder}: there is a training already ({', '.join(there)}); "
            "--continue goes on with it, --overwrite begins again and removes it"
        )
    if mode == "continue" and has_learnt and LATEST not in there:
        raise UdeansrError(
            f"{folder}: there is no {LATEST} to continue from, but {', '.join(there)}; --overwrite begins again and "
            "removes them"
        )


@dataclass(frozen=True)
class RunFile:
    """What ``run.json`` says of a training, for people and for ``--continue``.

    Attributes:
        version: of udeansr.
        dataset, configuration, method: names.
        settings: of the method, as JSON.
        run: resolved.
        computed: on what.
    """

    version: str
    dataset: str
    configuration: str
    method: str
    settings: dict[str, Any]
    run: RunSettings
    computed: Computed


def write_run(folder: Path, record: TrainingRecord, computed: Computed) -> None:
    """Write ``run.json``; the plan and the domain lie beside the arrays, and in every checkpoint."""
    names = (record.plan.dataset, record.configuration, record.method)
    write_json(RunFile(udeansr.__version__, *names, record.settings, record.run, computed), folder / RUN_FILE)


def read_run(folder: Path) -> RunFile:
    """What ``run.json`` says.

    Raises:
        UdeansrError: if there is none, or it is broken.
    """
    return read_json_as(RunFile, folder / RUN_FILE, "record of a training", "begin again with --overwrite")
