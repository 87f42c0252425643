"""Where datasets, preprocessed arrays, results and imported models lie: flag, environment variable, default."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from udeansr.errors import UdeansrError, did_you_mean

SOURCE_HR, TARGET_LR = "sourceHR", "targetLR"
VALIDATION_LR, VALIDATION_HR = "validationLR", "validationHR"
TEST_LR, TEST_HR = "testLR", "testHR"
GROUPS = (SOURCE_HR, TARGET_LR, VALIDATION_LR, VALIDATION_HR, TEST_LR, TEST_HR)

RUN_FILE = "run.json"
"""The record of a training, in its folder."""

_DATASET = re.compile(r"Dataset(\d{3})_[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Root:
    """A root folder, and which of flag, environment and default chose it."""

    folder: Path
    origin: str

    def __str__(self) -> str:
        """The folder and its origin, for messages."""
        return f"{self.folder} ({self.origin})"

    @property
    def flag(self) -> str:
        """What the next command needs to find this root, with a blank before it: nothing, unless a flag chose it."""
        return f" {self.origin} {shlex.quote(str(self.folder))}" if self.origin.startswith("--") else ""


def raw_root(flag: Path | None = None) -> Root:
    """Where raw datasets lie: ``--raw``, else ``$udeansr_raw`` (or ``$UDEANSR_RAW``), else ``./udeansr_raw``.

    In a folder that has no ``udeansr_raw`` but the example beside it (a fresh clone), the example is used.
    """
    root = _root(flag, "raw")
    example = Path("udeansr_raw_example")
    if root.origin == "default" and not root.folder.exists() and example.is_dir():
        return Root(example, "the example, as there is no ./udeansr_raw")
    return root


def preprocessed_root(flag: Path | None = None) -> Root:
    """Where plans, arrays lie: ``--preprocessed``, else ``$udeansr_preprocessed``, else ``./udeansr_preprocessed``."""
    return _root(flag, "preprocessed")


def results_root(flag: Path | None = None) -> Root:
    """Where trained models lie: ``--results``, else ``$udeansr_results``, else ``./udeansr_results``."""
    return _root(flag, "results")


def models_root() -> Root:
    """Where imported models lie: ``$udeansr_models``, else the user's own data folder, as XDG has it."""
    variable, value = _from_environment("models")
    if value:
        return Root(Path(value), f"${variable}")
    data = os.environ.get("XDG_DATA_HOME")
    home = Path(data) if data and Path(data).is_absolute() else Path.home() / ".local" / "share"
    return Root(home / "udeansr" / "models", "default")


def _root(flag: Path | None, name: str) -> Root:
    if flag is not None:
        return Root(flag, f"--{name}")
    variable, value = _from_environment(name)
    return Root(Path(value), f"${variable}") if value else Root(Path(f"udeansr_{name}"), "default")


def _from_environment(name: str) -> tuple[str, str]:
    """The variable that chooses a root, and its value; two empty words where none is set.

    It is spelt as nnU-Net's users write theirs, ``udeansr_raw``, or ``UDEANSR_RAW``.

    Raises:
        UdeansrError: if both are set and differ, or another spelling is set.
    """
    lower, upper = f"udeansr_{name}", f"UDEANSR_{name.upper()}"
    found = {variable: value for variable, value in os.environ.items() if value and variable.lower() == lower}
    others = sorted(set(found) - {lower, upper})
    if others:
        raise UdeansrError(f"the variable {others[0]} is set, but is none of ours; rename it to {lower} or {upper}")
    if len(set(found.values())) > 1:
        raise UdeansrError(
            f"{lower} is {found[lower]}, but {upper} is {found[upper]}; expected one folder; unset one of the two"
        )
    return next(((variable, found[variable]) for variable in (lower, upper) if variable in found), ("", ""))


def dataset_folders(root: Root) -> list[Path]:
    """The datasets of a root, by number."""
    if not root.folder.is_dir():
        return []
    return sorted(path for path in root.folder.iterdir() if path.is_dir() and _DATASET.fullmatch(path.name))


def find_dataset(root: Root, dataset: str) -> Path:
    """The folder of a dataset that is named 1, 001 or Dataset001_Name.

    Raises:
        UdeansrError: if there is none, or more than one, telling what there is and which root was searched.
    """
    folders = dataset_folders(root)
    if dataset.isdigit():
        found = [path for path in folders if int(path.name[7:10]) == int(dataset)]
    else:
        found = [path for path in folders if path.name == dataset]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise UdeansrError(f"dataset {dataset}: {root} has {len(found)} of that number: {names}; give the whole name")
    names = [path.name for path in folders]
    raise UdeansrError(
        f"dataset {dataset}: not in {root}{did_you_mean(dataset, names)}, which has "
        f"{', '.join(names) or 'no dataset at all'}; expected a folder Dataset001_Name there"
    )


def dataset_number(name: str) -> int:
    """The number in a dataset's folder name.

    Raises:
        UdeansrError: if the name is not of the form Dataset001_Name.
    """
    match = _DATASET.fullmatch(name)
    if match is None:
        raise UdeansrError(
            f"'{name}' is no name for a dataset; expected Dataset, three digits, _ and a name: Dataset001_Name"
        )
    return int(match.group(1))
