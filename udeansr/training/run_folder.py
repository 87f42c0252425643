"""The folder of one training: may it be begun, continued, overwritten."""

from __future__ import annotations

import logging
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import udeansr
from udeansr.errors import UdeansrError
from udeansr.files import remove_partials
from udeansr.strict_json import read_json_as, write_json
from udeansr.training.checkpoint import BEST, FINAL, LATEST, load_checkpoint
from udeansr.training.explanations import EXPLANATIONS
from udeansr.training.log import LOG, METRICS, PROGRESS, TENSORBOARD
from udeansr.training.settings import RunSettings, TrainingRecord

RUN_FILE = "run.json"
MODES = ("new", "continue", "overwrite")

logger = logging.getLogger(__name__)


def open_run_folder(folder: Path, mode: str) -> dict[str, Any] | None:
    """Make the folder ready for a training.

    Args:
        folder: where the training lies or will lie.
        mode: ``new``, ``continue`` or ``overwrite``; the last removes the files of the former training, no others.
    Returns: the latest checkpoint if the training is continued, else None.
    Raises:
        UdeansrError: if there is a training where a new one was asked for, or none where one is to be continued.
        ValueError: on another mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode '{mode}'; expected one of {', '.join(MODES)}")
    for name in (LATEST, BEST, FINAL):
        remove_partials(folder / name)  # large, and left by a call that was killed while it wrote
    files = [folder / name for name in (LATEST, BEST, FINAL, RUN_FILE, LOG, METRICS, PROGRESS)]
    there = [file.name for file in files if file.exists()]
    if mode == "continue":
        if LATEST not in there:
            raise UdeansrError(f"{folder}: there is no {LATEST} to continue from; leave --continue out to begin")
        return load_checkpoint(folder / LATEST)
    if there and mode == "new":
        raise UdeansrError(
            f"{folder}: there is a training already ({', '.join(there)}); "
            "--continue goes on with it, --overwrite begins again and removes it"
        )
    for file in files:
        file.unlink(missing_ok=True)
    for name in (TENSORBOARD, EXPLANATIONS):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return None


@dataclass(frozen=True)
class Computed:
    """On what a training was computed last.

    Attributes:
        device: in torch's words.
        precision: of its networks.
        torch, python: their versions.
    """

    device: str
    precision: str
    torch: str = torch.__version__
    python: str = platform.python_version()


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
    path = folder / RUN_FILE
    if not path.is_file():
        raise UdeansrError(f"{folder}: there is no training to continue; leave --continue out to begin one")
    return read_json_as(RunFile, path, "record of a training", "begin again with --overwrite")
