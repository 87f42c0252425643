"""How a preprocessed case lies on disk. Knows files and their names; knows no volume and no plan.

A case is a folder with ``voxels.npy``, ``foreground.npy``, for source HR ``degraded.npy``, and ``case.json``. The last
is written last and removed first: a case that has it is whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.files import remove_partials, whole_file
from udeansr.strict_json import write_json

VOXELS_FILE, FOREGROUND_FILE, CASE_FILE = "voxels.npy", "foreground.npy", "case.json"
DEGRADED_FILE = "degraded.npy"

_logger = logging.getLogger(__name__)


def write_case(
    folder: Path,
    voxels: np.ndarray,
    foreground: np.ndarray,
    record: dict[str, Any],
    degraded: np.ndarray | None = None,
) -> None:
    """Write a case, whole or not at all; one that is there is replaced.

    Args:
        folder: of the case; made where it is missing.
        voxels: (Z, Y, X) float32.
        foreground: (N, 3) voxel indices.
        record: what JSON takes, for ``case.json``.
        degraded: (Z, Y, X) float32 on the LR grid: the voxels as the target's scanner would give them, without noise.
    Raises:
        UdeansrError: if the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CASE_FILE).unlink(missing_ok=True)
        for name, array in ((VOXELS_FILE, voxels), (FOREGROUND_FILE, foreground), (DEGRADED_FILE, degraded)):
            if array is None:
                continue
            with whole_file(folder / name) as partial:
                np.save(partial, array)
        write_json(record, folder / CASE_FILE)
    except OSError as error:
        raise UdeansrError(f"{folder}: cannot be written ({error.strerror}); check the folder and the disk") from error


def read_record(folder: Path) -> dict[str, Any] | None:
    """What ``case.json`` of a case says; None where the case is not there, not whole, or its JSON is broken."""
    try:
        record = json.loads((folder / CASE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and all((folder / name).is_file() for name in (VOXELS_FILE, FOREGROUND_FILE))
    return record if whole else None


def read_array(path: Path) -> np.memmap:
    """An array, memory-mapped: only what is looked at is read.

    Raises:
        UdeansrError: if the file is missing or cut short.
    """
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise UdeansrError(
            f"{path}: missing or broken ({error}); delete its folder and run udeansr_plan_and_preprocess again"
        ) from error


def remove_case(folder: Path) -> None:
    """Remove the files that :func:`write_case` made, and the folder if nothing else is in it."""
    ours = (CASE_FILE, VOXELS_FILE, FOREGROUND_FILE, DEGRADED_FILE)
    for name in ours:
        (folder / name).unlink(missing_ok=True)
        remove_partials(folder / name)
    try:
        folder.rmdir()
    except OSError:
        _logger.warning("%s: kept, as it holds files that preprocessing did not make", folder)


def look_of(source: Path) -> dict[str, int]:
    """Size and time of the last change of a file, or of all files of a DICOM folder: a quick look for changes."""
    stats = [file.stat() for file in _files(source)]
    return {
        "bytes": sum(one.st_size for one in stats),
        "modified_ns": max((one.st_mtime_ns for one in stats), default=0),
    }


def sha256_of(source: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of all files of a DICOM folder."""
    digest = hashlib.sha256()
    for file in _files(source):
        if source.is_dir():
            digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _files(source: Path) -> list[Path]:
    return sorted(path for path in source.iterdir() if path.is_file()) if source.is_dir() else [source]
