"""How an image was acquired, as its name, its sidecar or its DICOM headers say: contrast, thickness, 2-D or 3-D."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, cast, get_args

from udeansr.errors import UdeansrError
from udeansr.image.dicom import is_series, series_at
from udeansr.image.names import case_name

CONTRASTS = (
    *("T1w", "T2w", "PDw", "FLAIR", "T2starw", "PDT2", "inplaneT1", "inplaneT2", "UNIT1", "T1map", "T2map"),
    *("angio", "MTw", "SWI", "DIR", "bold", "sbref", "dwi", "epi", "asl", "M0map"),
)
"""Suffixes of file names in BIDS."""

_WORDS = {"T1w": {"t1", "t1w", "mprage"}, "T2w": {"t2", "t2w"}, "PDw": {"pd", "pdw"}, "FLAIR": {"flair"}}
"""What people and scanners' protocols call them."""

_LONGEST_SIDECAR_BYTES = 2**24
_THICKEST_MM = 1000.0
"""From which on a slice is none of a body."""


def image_contrast(path: Path) -> str | None:
    """The contrast of an image, in the words of BIDS; None where nothing says.

    Args:
        path: an image. ``sub-01_T1w.nii.gz`` or ``IXI002-T1.nii.gz`` says it in its name, another in the ``.json``
            beside it; a DICOM series says it in its headers, which come first.
    """
    told = _series_contrast(path) if is_series(path) else None
    return told or _suffix(case_name(path)) or _sidecar_contrast(path)


def _suffix(name: str) -> str | None:
    """The contrast that a name ends in, after its last underscore or hyphen: as in BIDS, or as people call it."""
    last = re.split("[_-]", name.lower())[-1]
    suffix = next((contrast for contrast in CONTRASTS if contrast.lower() == last), None)
    return suffix or next((contrast for contrast, synonyms in _WORDS.items() if last in synonyms), None)


def _sidecar_contrast(path: Path) -> str | None:
    """What a sidecar in the manner of dcm2niix says: its own guess of the name in BIDS, else the protocol."""
    values = _sidecar(path)
    guess = values.get("BidsGuess")
    if isinstance(guess, list) and guess and (told := _suffix(str(guess[-1]))):
        return told
    return _described(f"{values.get('SeriesDescription')} {values.get('ProtocolName')}")


def _series_contrast(path: Path) -> str | None:
    """What the headers of a DICOM series say."""
    try:
        return _described(series_at(path).words)
    except UdeansrError:
        return None  # whoever reads the image says what is wrong with it


def _described(text: str) -> str | None:
    """The one contrast that a description or a protocol names."""
    words = set(re.split(r"[^a-z0-9]+", text.lower()))
    named = [contrast for contrast, synonyms in _WORDS.items() if words & synonyms]
    if "FLAIR" in named:
        return "FLAIR"  # which is T2-weighted as well, and is often called so
    return named[0] if len(named) == 1 else None


def slice_thickness_mm(path: Path) -> float | None:
    """The thickness of an image's slices, as its DICOM headers or the ``.json`` beside it say; None where they do not.

    Args:
        path: an image, or a DICOM series.
    """
    told = _header(path, "SliceThickness")
    try:
        thickness_mm = 0.0 if told is None or isinstance(told, bool) else float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return thickness_mm if 0 < thickness_mm < _THICKEST_MM else None


AcquisitionType = Literal["2D", "3D"]
"""Whether slices were excited one by one, or the slab axis was phase-encoded."""


def acquisition_type(path: Path) -> AcquisitionType | None:
    """Whether an image was acquired in 2-D or 3-D, as MRAcquisitionType of its DICOM headers or sidecar says.

    Args:
        path: an image, or a DICOM series.
    Returns: None where nothing says.
    """
    told = str(_header(path, "MRAcquisitionType")).strip().upper()
    return cast(AcquisitionType, told) if told in get_args(AcquisitionType) else None


def _header(path: Path, name: str) -> Any:
    """What DICOM headers say under a name, or else the ``.json`` beside an image; None where they do not."""
    told = _series_header(path, name) if is_series(path) else None
    return _sidecar(path).get(name) if told is None else told


def _series_header(path: Path, name: str) -> Any:
    """What the headers of a DICOM series say, classic or enhanced."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        tags = [name, "SharedFunctionalGroupsSequence"]
        header = pydicom.dcmread(series_at(path).files[0], stop_before_pixels=True, specific_tags=tags)
        if name in header:
            return header[name].value
        return header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0][name].value
    except (UdeansrError, InvalidDicomError, OSError, AttributeError, IndexError, KeyError, TypeError):
        return None  # whoever reads the image says what is wrong with it


def _sidecar(image: Path) -> dict[str, Any]:
    """What the ``.json`` beside an image says; nothing where there is none, or none that can be read."""
    path = image.with_name(f"{case_name(image)}.json")
    try:
        if path.stat().st_size > _LONGEST_SIDECAR_BYTES:
            return {}
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # a sidecar is no input of ours: what cannot be read says nothing
    return values if isinstance(values, dict) else {}
