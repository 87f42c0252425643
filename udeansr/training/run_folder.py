"""The folder of one training: may it be begun, continued, overwritten. Knows files; trains nothing."""

from __future__ import annotations

import json
import logging
import platform
import shutil
from pathlib import Path
from typing import Any

import torch

import udeansr
from udeansr.errors import UdeansrError
from udeansr.files import remove_partials
from udeansr.planning.plan import Plan
from udeansr.strict_json import write_json
from udeansr.training.checkpoint import BEST, FINAL, LATEST, load_checkpoint
from udeansr.training.explanations import EXPLANATIONS
from udeansr.training.log import LOG, METRICS, PROGRESS, TENSORBOARD

RUN_FILE = "run.json"
MODES = ("new", "continue", "overwrite")

_FREE = ("epochs", "iterations_per_epoch", "batch_size", "inherits_from", "reasons")
"""Of a configuration: what the run's own settings hold, and words."""

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


def write_run(folder: Path, identity: dict[str, Any], device: str, precision: str) -> None:
    """Write ``run.json``: what is trained and how, and on what it was computed last."""
    machine = {
        "device": device,
        "precision": precision,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    values = {"version": udeansr.__version__, "dataset": identity["plan"]["dataset"], **identity, "computed": machine}
    for name in ("plan", "domain"):  # they lie beside the arrays, and in every checkpoint
        values.pop(name, None)
    write_json(values, folder / RUN_FILE)


def read_run(folder: Path) -> dict[str, Any]:
    """What ``run.json`` says, ``settings`` of the method and ``run`` among it.

    Raises:
        UdeansrError: if there is none, or it is broken.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        raise UdeansrError(f"{folder}: there is no training to continue; leave --continue out to begin one")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {"settings": dict(values["settings"]), "run": dict(values["run"])}
    except (ValueError, KeyError, TypeError) as error:
        raise UdeansrError(f"{path}: no record of a training ({error}); begin again with --overwrite") from error


def check_same_training(state: dict[str, Any], identity: dict[str, Any], plan: Plan, where: str) -> None:
    """Hold what is continued to what was begun: method, method settings, and the plan's numbers.

    Args:
        state: the checkpoint.
        identity: what is asked for now, under the checkpoint's keys.
        plan: the plan as it is now.
        where: the folder, for messages.
    Raises:
        UdeansrError: naming what differs.
    """
    former = Plan.from_dict(state["plan"], where)
    name = identity["configuration"]
    then, now = former.configuration(state["configuration"]), plan.configuration(name)
    changes = _changes(
        {"method": state["method"], **state["settings"]}, {"method": identity["method"], **identity["settings"]}
    )
    changes += _changes(
        {"orientation": former.orientation, "lr_gain": former.lr_gain, **then.values()},
        {"orientation": plan.orientation, "lr_gain": plan.lr_gain, **now.values()},
    )
    if former.degradation != plan.degradation:
        changes.append("the measured degradation of the plan")
    if changes:
        raise UdeansrError(
            f"{where} was begun with other values: {', '.join(changes)}. Continue with the saved ones "
            "(same method, same --set, same plan), or begin again with --overwrite"
        )


def _changes(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs, in words."""
    names = [name for name in {**then, **now} if name not in _FREE and then.get(name) != now.get(name)]
    return [f"{name} {then.get(name)} -> {now.get(name)}" for name in names]
