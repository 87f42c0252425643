"""A raw dataset: groups of image files and what is said of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from udeansr.errors import UdeansrError
from udeansr.image.files import list_images
from udeansr.image.names import case_name
from udeansr.paths import (
    GROUPS,
    SOURCE_HR,
    TARGET_LR,
    TEST_HR,
    TEST_LR,
    VALIDATION_HR,
    VALIDATION_LR,
    dataset_number,
)
from udeansr.strict_json import from_json, read_json

_logger = logging.getLogger(__name__)

DATASET_FILE = "dataset.json"

LR_GROUPS = (TARGET_LR, VALIDATION_LR, TEST_LR)
HR_GROUPS = (SOURCE_HR, VALIDATION_HR, TEST_HR)
PAIRED_GROUPS = {VALIDATION_LR: VALIDATION_HR, TEST_LR: TEST_HR}
"""LR group -> the HR group that holds the same scans under equal names."""


@dataclass(frozen=True)
class Case:
    """One image of a group.

    Attributes:
        name: the file name without its image suffix, or the folder name of a DICOM series.
        path: the file, or the folder of the series.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class About:
    """What ``dataset.json`` says; each key is optional, a line of text, and read by people only."""

    name: str = ""
    description: str = ""
    contrast: str = ""
    licence: str = ""
    reference: str = ""


@dataclass(frozen=True)
class RawDataset:
    """The files of a dataset.

    Attributes:
        folder: where it lies.
        name: the folder's name, ``Dataset001_Name``.
        groups: the cases of every group of ``paths.GROUPS``, by name; an optional group that is absent is empty.
        about: what ``dataset.json`` says.
    """

    folder: Path
    name: str
    groups: dict[str, tuple[Case, ...]]
    about: About = field(default_factory=About)

    def pairs(self, lr_group: str) -> tuple[tuple[Case, Case], ...]:
        """The (LR, HR) pairs of equal name of ``validationLR`` or ``testLR``."""
        references = {case.name: case for case in self.groups[PAIRED_GROUPS[lr_group]]}
        return tuple((case, references[case.name]) for case in self.groups[lr_group] if case.name in references)


def load_raw_dataset(folder: Path) -> RawDataset:
    """List a raw dataset: ``sourceHR`` and ``targetLR``, the optional pairs, ``dataset.json``.

    Args:
        folder: ``.../Dataset001_Name``.
    Raises:
        UdeansrError: if the name is no dataset's, a needed group is missing or empty, or ``dataset.json`` is broken;
            one line a fault.
    """
    if not folder.is_dir():
        raise UdeansrError(f"{folder}: no such folder; expected a dataset with {SOURCE_HR}/ and {TARGET_LR}/ in it")
    # A dot or a link stands for a folder whose name is what counts.
    name = folder.resolve().name
    dataset_number(name)
    faults: list[str] = []
    groups: dict[str, tuple[Case, ...]] = {}
    for group in GROUPS:
        try:
            groups[group] = _cases(folder / group)
        except UdeansrError as error:
            faults.append(str(error))
    about = About()
    try:
        about = _read_about(folder / DATASET_FILE)
    except UdeansrError as error:
        faults.append(str(error))
    if faults:
        raise UdeansrError("\n".join(faults))
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in GROUPS and not path.name.startswith("."):
            _logger.warning("%s: not read; the groups of a dataset are %s", path, ", ".join(GROUPS))
    return RawDataset(folder, name, groups, about)


def _cases(folder: Path) -> tuple[Case, ...]:
    """The images of a group, by path; none if an optional group is absent."""
    if not folder.is_dir():
        if folder.name in (SOURCE_HR, TARGET_LR):
            there = sorted(path.name for path in folder.parent.iterdir() if path.is_dir())
            raise UdeansrError(
                f"{folder}: missing; the dataset has {', '.join(there) or 'no folder at all'}; "
                f"expected the {'HR' if folder.name == SOURCE_HR else 'LR'} scans in a folder {folder.name}"
            )
        return ()
    return tuple(Case(case_name(path), path) for path in list_images(folder))


def _read_about(path: Path) -> About:
    """Read ``dataset.json``, or the defaults where there is none."""
    if not path.is_file():
        return About()
    remedy = "mend it or remove it, it is optional"
    return from_json(About, read_json(path, "description of the dataset", remedy), str(path), remedy)
