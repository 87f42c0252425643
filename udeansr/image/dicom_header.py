"""The header of one DICOM file, classic or multi-frame: its series, its slices and where they lie."""

from __future__ import annotations

import logging
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from udeansr.image.names import printable
from udeansr.image.volume import Triple, triple

MR_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.4",  # MR Image Storage
    "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR Image Storage
    "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR Image Storage
)
CAPTURE_CLASSES = "1.2.840.10008.5.1.4.1.1.7"
"""How the classes of Secondary Capture begin: pictures of a screen."""

_TAGS: list[str] = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "ProtocolName",
    "SequenceName",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "NumberOfFrames",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "EchoTime",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
_BROKEN = (
    InvalidDicomError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Slice:
    """One slice, in a file of its own or as a frame among others.

    Attributes:
        file: where it lies.
        frame: its number in a multi-frame file, from 0; None where the file holds this slice only.
        position_mm: (L, P, S) of the centre of its first voxel; None if the file does not say.
        along_x: the direction in which columns follow one another; None if the file does not say.
        along_y: the direction in which rows follow one another; None if the file does not say.
        spacing_mm: between rows and between columns (Y, X); None if the file does not say.
        shape: rows and columns (Y, X).
        slope: unit of a stored value.
        intercept: what a stored 0 means.
        kind: what tells apart slices of one series at one place: echo time and image type.
    """

    file: Path
    frame: int | None
    position_mm: Triple | None
    along_x: Triple | None
    along_y: Triple | None
    spacing_mm: tuple[float, float] | None
    shape: tuple[int, int]
    slope: float
    intercept: float
    kind: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """What a DICOM file with an image says.

    Attributes:
        series_uid: of the series that it belongs to.
        instance_uid: its own.
        number: of the series; None if it has none.
        description: of the series, "" if it has none.
        words: description, protocol and sequence, all that tells the contrast.
        modality: "MR" for magnetic resonance.
        image_type: the values of Image Type.
        storage_class: UID of the kind of object.
        samples: values a voxel.
        slices: one, or the frames as they are stored.
    """

    series_uid: str
    instance_uid: str
    number: int | None
    description: str
    words: str
    modality: str
    image_type: tuple[str, ...]
    storage_class: str
    samples: int
    slices: tuple[Slice, ...]


def read_header(path: Path) -> Header | None:
    """What a DICOM file says; None if it holds no image, or cannot be read, of which a warning is logged."""
    try:
        if printable(path) != str(path):
            raise ValueError("the bytes of its name are no UTF-8; rename it")
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what pydicom finds odd is told below, where it matters
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[*_TAGS])
            _check_size(dataset, path.stat().st_size - file.tell())
            return _header(dataset, path)
    except _BROKEN as error:
        _logger.warning("%s: cannot be read as DICOM (%s); left out", printable(path), error or type(error).__name__)
        return None


def _check_size(dataset: Dataset, left: int) -> None:
    """Refuse a file that holds fewer voxels than its header says: readers would make up the rest.

    Args:
        dataset: the header.
        left: bytes of the file behind it, those that name the element of the voxels among them.
    """
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or syntax.is_compressed or syntax.is_deflated or "Rows" not in dataset:
        return
    frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    voxels = frames * int(dataset.Rows) * int(dataset.Columns) * samples
    expected = voxels * int(dataset.get("BitsAllocated") or 8) // 8
    left -= 8 if syntax.is_implicit_VR else 12
    if left < expected:
        raise ValueError(f"{left} bytes of voxels, where its header tells of {expected}; export it again")


def values(item: Dataset, keyword: str) -> list[Any]:
    """The values of an element, whether it has none, one or several."""
    value = item.get(keyword)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _header(dataset: Dataset, path: Path) -> Header | None:
    if "Rows" not in dataset or "Columns" not in dataset:
        return None
    number = values(dataset, "SeriesNumber")
    description = str(dataset.get("SeriesDescription") or "").strip()
    words = [description, *(str(dataset.get(key) or "").strip() for key in ("ProtocolName", "SequenceName"))]
    return Header(
        series_uid=str(dataset.get("SeriesInstanceUID") or ""),
        instance_uid=str(dataset.get("SOPInstanceUID") or ""),
        number=int(number[0]) if number else None,
        description=description,
        words=" ".join(dict.fromkeys(word for word in words if word)),
        modality=str(dataset.get("Modality") or ""),
        image_type=tuple(str(value) for value in values(dataset, "ImageType")),
        storage_class=str(dataset.get("SOPClassUID") or ""),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        slices=_slices(dataset, path),
    )


def _slices(dataset: Dataset, path: Path) -> tuple[Slice, ...]:
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        kind = (*map(str, values(dataset, "EchoTime")), *map(str, values(dataset, "ImageType")))
        return (_slice(dataset, dataset, path, None, kind),)
    shared = [*(dataset.get("SharedFunctionalGroupsSequence") or []), Dataset()][0]
    found = []
    for number, own in enumerate(frames):
        flat = Dataset()
        for group in (shared, own):  # what a frame says of itself goes before what is said of all
            for element in group:
                if element.VR == "SQ" and element.value:
                    flat.update(element.value[0])
        kind = (*map(str, values(flat, "EffectiveEchoTime")), *map(str, values(flat, "FrameType")))
        found.append(_slice(flat, dataset, path, number, kind))
    return tuple(found)


def _slice(item: Dataset, whole: Dataset, path: Path, frame: int | None, kind: tuple[str, ...]) -> Slice:
    position, orientation, spacing, slope, intercept = (
        [float(value) for value in values(item, keyword)]
        for keyword in (
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "RescaleSlope",
            "RescaleIntercept",
        )
    )
    return Slice(
        file=path,
        frame=frame,
        position_mm=triple(position) if position else None,
        along_x=triple(orientation[:3]) if orientation else None,
        along_y=triple(orientation[3:]) if orientation else None,
        spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        shape=(int(whole.Rows), int(whole.Columns)),
        slope=slope[0] if slope else 1.0,
        intercept=intercept[0] if intercept else 0.0,
        kind=kind,
    )
