"""How a preprocessed case lies on disk.

A case is a folder with ``voxels.npy``, ``foreground.npy``, for source HR ``degraded.npy``, and ``case.json``. The last
is written last and removed first: a case that has it is whole.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.registration import RigidMotion
from udeansr.errors import UdeansrError
from udeansr.files import CHECK_DISK, reason_of, remove_partials, whole_file
from udeansr.image.volume import Geometry
from udeansr.strict_json import NonNegativeFloat, PositiveFloat, read_json_as, write_json

VOXELS_FILE, FOREGROUND_FILE, CASE_FILE = "voxels.npy", "foreground.npy", "case.json"
DEGRADED_FILE = "degraded.npy"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseRecord:
    """What ``case.json`` says of a case: where its voxels lie, at which level, and all that decided them.

    Attributes:
        geometry: of the voxels.
        intensity_scale: unit of the file that became 1, before the gain between the cohorts.
        level: what the voxels were divided by, that gain included.
        noise: standard deviation of the noise in each complex channel that ``degraded.npy`` lacks, normalised.
        measured: the degradation of each LR in ``degraded.npy``, where it was randomized.
        sources: path in the raw dataset -> "bytes", "modified_ns" and "sha256" of a file.
        plan: the planned values that decided the arrays.
        cut_from: the whole grid that the voxels were cut from, and ``start`` the first voxel of the cut.
        made_of: of a pair of HR and LR: what decides the arrays of both.
        motion: of a pair: that of the HR onto its LR.
        gain: of a pair: level of the LR over that of the HR.
    """

    geometry: Geometry
    intensity_scale: PositiveFloat
    level: PositiveFloat
    noise: NonNegativeFloat = 0.0
    measured: tuple[MeasuredDegradation, ...] = ()
    sources: dict[str, dict[str, int | str]] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    cut_from: Geometry | None = None
    start: tuple[int, int, int] = (0, 0, 0)
    made_of: dict[str, Any] = field(default_factory=dict)
    motion: RigidMotion | None = None
    gain: PositiveFloat | None = None


def write_case(
    folder: Path,
    voxels: np.ndarray,
    foreground: np.ndarray,
    record: CaseRecord,
    degraded: np.ndarray | None = None,
) -> None:
    """Write a case, whole or not at all; one that is there is replaced.

    Args:
        folder: of the case; made where it is missing.
        voxels: (Z, Y, X) float32.
        foreground: (N, 3) voxel indices.
        record: for ``case.json``.
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
        raise UdeansrError(f"{folder}: cannot be written ({reason_of(error)}); {CHECK_DISK}") from error


def read_record(folder: Path) -> CaseRecord | None:
    """What ``case.json`` of a case says; None where the case is not there, not whole, or its JSON is broken."""
    if not all((folder / name).is_file() for name in (VOXELS_FILE, FOREGROUND_FILE)):
        return None
    try:
        return read_json_as(CaseRecord, folder / CASE_FILE, "case", "udeansr_plan_and_preprocess -d DATASET")
    except UdeansrError:
        return None


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
