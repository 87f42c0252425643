"""A raw dataset: groups of image files and what is said of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from udeansr.errors import UdeansrError
from udeansr.image.bids import DESCRIPTION_FILE, BidsName, anat_images, is_anatomy, is_dataset
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
class BidsGroup:
    """A group whose images lie in a BIDS dataset.

    Attributes:
        folder: of the BIDS dataset, absolute or seen from the raw dataset.
        suffix: of the images, ``T1w``.
        participants: ``01`` or ``sub-01``; None takes all.
        entities: values that a name has to have, ``{"ses": "1", "acq": "mprage"}``.
    """

    folder: str
    suffix: str
    participants: tuple[str, ...] | None = None
    entities: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """What ``dataset.json`` says; each key is optional, a line of text that people read, but for ``bids``.

    Attributes:
        bids: groups whose images lie in a BIDS dataset, instead of in a folder of their own.
    """

    name: str = ""
    description: str = ""
    contrast: str = ""
    licence: str = ""
    reference: str = ""
    bids: dict[str, BidsGroup] = field(default_factory=dict)


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
    about = About()
    try:
        about = _read_about(folder / DATASET_FILE)
    except UdeansrError as error:
        faults.append(str(error))
    for group in GROUPS:
        try:
            groups[group] = _cases(folder / group, about.bids.get(group))
        except UdeansrError as error:
            faults.append(str(error))
    if faults:
        raise UdeansrError("\n".join(faults))
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in GROUPS and not path.name.startswith("."):
            _logger.warning("%s: not read; the groups of a dataset are %s", path, ", ".join(GROUPS))
    return RawDataset(folder, name, groups, about)


def _cases(folder: Path, bids: BidsGroup | None) -> tuple[Case, ...]:
    """The images of a group, by path; none if an optional group is absent."""
    if bids is not None:
        if folder.exists():
            raise UdeansrError(
                f"{folder}: {DATASET_FILE} takes this group from the BIDS dataset {bids.folder}; expected one place; "
                "remove the folder or the entry"
            )
        return _bids_cases(folder, bids)
    if not folder.is_dir():
        if folder.name in (SOURCE_HR, TARGET_LR):
            there = sorted(path.name for path in folder.parent.iterdir() if path.is_dir())
            raise UdeansrError(
                f"{folder}: missing; the dataset has {', '.join(there) or 'no folder at all'}; "
                f"expected the {'HR' if folder.name == SOURCE_HR else 'LR'} scans in a folder {folder.name}"
            )
        return ()
    return tuple(Case(case_name(path), path) for path in list_images(folder))


def _bids_cases(group: Path, wanted: BidsGroup) -> tuple[Case, ...]:
    """The images of a BIDS dataset that a group asks for."""
    root = group.parent / wanted.folder
    where = f"{group.parent / DATASET_FILE}: bids {group.name}"
    if not is_dataset(root):
        raise UdeansrError(f"{where}: {root} is no BIDS dataset; expected a folder with {DESCRIPTION_FILE} and sub-*/")
    named = [(path, BidsName.parse(case_name(path))) for path in anat_images(root, root)]
    known = [(path, name) for path, name in named if name is not None and is_anatomy(name)]
    people = {f"sub-{name.entities.get('sub')}" for _, name in known}
    asked = (
        people if wanted.participants is None else {f"sub-{one.removeprefix('sub-')}" for one in wanted.participants}
    )
    if missing := sorted(asked - people):
        raise UdeansrError(f"{where}: {root} has no anatomical image of {', '.join(missing)}; mend the entry")
    found = [
        path
        for path, name in known
        if name.suffix == wanted.suffix
        and f"sub-{name.entities['sub']}" in asked
        and wanted.entities.items() <= name.entities.items()
    ]
    if not found:
        there = ", ".join(sorted({name.suffix for _, name in known})) or "no anatomical image"
        raise UdeansrError(f"{where}: no image of {wanted.suffix} as asked for in {root}, which has {there}")
    return tuple(Case(case_name(path), path) for path in found)


def _read_about(path: Path) -> About:
    """Read ``dataset.json``, or the defaults where there is none."""
    if not path.is_file():
        return About()
    remedy = "mend it or remove it, it is optional"
    about = from_json(About, read_json(path, "description of the dataset", remedy), str(path), remedy)
    if unknown := sorted(set(about.bids) - set(GROUPS)):
        raise UdeansrError(f"{path}: 'bids' names the group {unknown[0]}; expected {', '.join(GROUPS)}")
    return about
