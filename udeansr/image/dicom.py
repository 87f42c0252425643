"""The DICOM series of a folder: finding them, naming them as images, leaving out what is no volume.

One of several series in a folder is named by a path that is no file: ``folder/@301_T1_MPRAGE``.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.misc import is_dicom

from udeansr.errors import UdeansrError
from udeansr.image.dicom_header import CAPTURE_CLASSES, Header, Slice, read_header
from udeansr.image.names import SERIES_MARK, image_suffix
from udeansr.progress import progress_bar

MINIMUM_SLICES = 3
"""An image among several needs as many slices as the smallest slab."""

_LOCALIZER = re.compile(r"(?<![a-z])(localizer|localiser|loc|scout|survey)(?![a-z])", re.IGNORECASE)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Series:
    """A series of slices that may be one volume.

    Attributes:
        uid: SeriesInstanceUID, "" if the files do not say.
        number: Series Number; None if it has none.
        description: Series Description, "" if it has none.
        words: description, protocol and sequence, all that tells the contrast.
        modality: "MR" for magnetic resonance.
        storage_class: UID of the kind of object.
        slices: in the order of the slice normal, if the files say where they lie.
        left_out: why it is not taken as an image beside others; "" if it is.
    """

    uid: str
    number: int | None
    description: str
    words: str
    modality: str
    storage_class: str
    slices: tuple[Slice, ...]
    left_out: str = ""

    @property
    def name(self) -> str:
        """Number and description, in characters that every file system takes."""
        words = re.sub(r"[^\w-]+", "_", self.description).strip("_") or "series"
        return words if self.number is None else f"{self.number}_{words}"

    @property
    def files(self) -> tuple[Path, ...]:
        """Its files, in the order of the slices."""
        return tuple(dict.fromkeys(each.file for each in self.slices))


def find_series(folder: Path) -> list[Series]:
    """All series of images in a folder and the folders in it, by number, description and UID.

    A series that gives each place several times, as with two echoes, is split by echo time and image type. The only
    series of a folder is taken whatever it is. Of several, :attr:`Series.left_out` tells which are no volumes of
    magnetic resonance: localizers, screen captures, projections, single slices, other modalities.
    """
    return _series_of(_headers(folder))


def list_series(folder: Path) -> list[Path]:
    """The images that the DICOM files of a folder are, by the paths that :func:`series_at` understands.

    - The only series of a folder, if it lies directly in it, is that folder.
    - The only series of a sub-folder is that sub-folder.
    - Others are ``folder/@<number>_<description>``; where several sub-folders hold series, the sub-folder's name stands
      before the number.

    What is left out is named in one line of the log.
    """
    skipped = [each for group in _groups(folder).values() for each in group if each.left_out]
    if skipped:
        reasons = ", ".join(f"{each.name} ({each.left_out})" for each in skipped)
        _logger.info("%s: left out %d series: %s", folder, len(skipped), reasons)
    return list(_named(folder))


def series_at(path: Path) -> Series:
    """The series that a path means: a folder with one, or one of a folder as :func:`list_series` names it.

    Raises:
        UdeansrError: if there is no series, or several.
    """
    if _is_marked(path):
        named = _named(path.parent) if path.parent.is_dir() else {}
        if path not in named:
            raise UdeansrError(f"{path}: no such DICOM series; {path.parent} holds {_listed(named)}")
        return named[path]
    taken = [each for each in find_series(path) if not each.left_out]
    if not taken:
        raise UdeansrError(f"{path}: a folder without a DICOM series; expected one series of magnitude images")
    if len(taken) > 1:
        raise UdeansrError(f"{path}: {len(taken)} DICOM series; expected one; give one of {_listed(_named(path))}")
    return taken[0]


def is_series(path: Path) -> bool:
    """Whether a path is to be read as DICOM: a folder, or a series of a folder by its name. It may not be there."""
    return path.is_dir() or _is_marked(path)


def _is_marked(path: Path) -> bool:
    return path.name.startswith(SERIES_MARK) and not path.exists() and not image_suffix(path)


def _named(folder: Path) -> dict[Path, Series]:
    """The images of a folder by their paths."""
    groups = {top: [each for each in group if not each.left_out] for top, group in _groups(folder).items()}
    groups = {top: group for top, group in groups.items() if group}
    named: dict[Path, Series] = {}
    taken: set[str] = set()
    for top, group in groups.items():
        flat = all(file.parent == folder for file in group[0].files)
        if len(group) == 1 and (top != folder or flat):
            named[top] = group[0]
            continue
        prefix = f"{top.name}_" if len(groups) > 1 else ""
        for each in group:
            name, count = prefix + each.name, 1
            while name.lower() in taken:
                count += 1
                name = f"{prefix}{each.name}_{count}"
            taken.add(name.lower())
            named[folder / f"{SERIES_MARK}{name}"] = each
    return named


def _groups(folder: Path) -> dict[Path, list[Series]]:
    """Series by the child of the folder that holds them; all under the folder itself where they cannot be told apart.

    That is where files lie directly in it, or a series is divided among children, as some archives export.
    """
    headers = _headers(folder)
    tops: dict[Path, list[Header]] = {}
    marks_by_series: dict[str, dict[Path, set[object]]] = {}
    for header in headers:
        file = header.slices[0].file
        top = folder if file.parent == folder else folder / file.relative_to(folder).parts[0]
        tops.setdefault(top, []).append(header)
        marks = {header.instance_uid, *(each.position_mm for each in header.slices)}
        marks_by_series.setdefault(header.series_uid, {}).setdefault(top, set()).update(marks)
    # A copy of a series in another folder repeats its instances and places; the parts of a divided one do not.
    divided = any(len(parts) > 1 and not set.intersection(*parts.values()) for parts in marks_by_series.values())
    if folder in tops or divided:
        return {folder: _series_of(headers)}
    return {top: _series_of(tops[top]) for top in sorted(tops)}


def _series_of(headers: Iterable[Header]) -> list[Series]:
    by_uid: dict[str, list[Header]] = {}
    for header in headers:
        by_uid.setdefault(header.series_uid, []).append(header)
    alone = len(by_uid) == 1
    found = [series for group in by_uid.values() for series in _split(group, alone)]
    return sorted(found, key=lambda each: (each.number is None, each.number or 0, each.description, each.uid))


def _split(headers: list[Header], alone: bool) -> list[Series]:
    """The files of one series as one volume, or one of each kind where each place is given by several kinds."""
    first = headers[0]
    slices = sorted_slices([each for header in headers for each in header.slices])
    kinds = sorted({each.kind for each in slices})
    parts = [tuple(each for each in slices if each.kind == kind) for kind in kinds]
    whole = len(parts) == 1 or not _repeats(slices) or any(_repeats(part) for part in parts)
    reason = "" if alone else _reason(headers, slices)
    return [
        Series(
            uid=first.series_uid,
            number=first.number,
            description=first.description if whole else f"{first.description} {count}".strip(),
            words=first.words,
            modality=first.modality,
            storage_class=first.storage_class,
            slices=part,
            left_out=reason,
        )
        for count, part in enumerate([slices] if whole else parts, start=1)
    ]


def sorted_slices(slices: Iterable[Slice]) -> tuple[Slice, ...]:
    """Slices in the order of their normal; in that of file names and frames if one does not say where it lies."""
    ordered = sorted(slices, key=lambda each: (each.file, each.frame or 0))
    first = ordered[0]
    if first.along_x is None or first.along_y is None:
        return tuple(ordered)
    normal = np.cross(first.along_x, first.along_y)
    heights = [None if each.position_mm is None else float(normal @ each.position_mm) for each in ordered]
    if None in heights:
        return tuple(ordered)
    return tuple(ordered[i] for i in sorted(range(len(ordered)), key=lambda i: (heights[i], i)))


def _repeats(slices: tuple[Slice, ...]) -> bool:
    """Whether a place is given more than once."""
    return len({each.position_mm for each in slices}) < len(slices)


def _reason(headers: list[Header], slices: tuple[Slice, ...]) -> str:
    """Why a series is no volume of magnetic resonance; "" if it is one."""
    first = headers[0]
    types = {value.upper() for header in headers for value in header.image_type}
    if first.storage_class.startswith(CAPTURE_CLASSES):
        return "a screen capture"
    if first.modality not in ("MR", ""):
        return f"modality {first.modality}"
    if "LOCALIZER" in types or _LOCALIZER.search(first.description):
        return "a localizer"
    if types & {"PROJECTION IMAGE", "MIP"}:
        return "a projection"
    if first.samples != 1:
        return "in colour"
    axes = [(*each.along_x, *each.along_y) for each in slices if each.along_x and each.along_y]
    if axes and float(np.ptp(np.asarray(axes), axis=0).max()) > 1e-3:
        return "slices that are not parallel"
    if len(slices) < MINIMUM_SLICES:
        return f"{len(slices)} slice{'s' * (len(slices) > 1)}"
    places = {(each.position_mm, each.kind) for each in slices}
    if 2 * len(places) <= len(slices):
        return f"{len(slices)} slices at {len(places)} places"
    return ""


def _headers(folder: Path) -> tuple[Header, ...]:
    """The headers of all images in a folder and the folders in it; read anew only if a file has changed."""
    return _read_headers(tuple((file, *_stamp(file)) for file in _files(folder)))


@functools.lru_cache(maxsize=8)
def _read_headers(stamped: tuple[tuple[Path, int, int], ...]) -> tuple[Header, ...]:
    headers = []
    with progress_bar("DICOM headers", len(stamped), unit="file", delay=2, leave=False) as bar:
        for file, *_ in stamped:
            headers.append(read_header(file) if is_dicom(file) else None)
            bar.update()
    return tuple(header for header in headers if header is not None)


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size


def _files(folder: Path) -> list[Path]:
    """Visible files that may be DICOM, in order: none of a folder in which images of another format lie."""
    found: list[Path] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        files = [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        if real not in seen and not any(image_suffix(file) for file in files):
            found += [file for file in files if file.is_file()]
        seen.add(real)
    return found


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths) or "none"
