"""The names of image files: their suffix, and the name of the case."""

from __future__ import annotations

import os
from pathlib import Path

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
SERIES_MARK = "@"
"""Begins the name of a DICOM series among several in a folder."""


def image_suffix(path: Path) -> str:
    """The image suffix of a file name, "" where it has none of ``IMAGE_SUFFIXES``."""
    return next((suffix for suffix in IMAGE_SUFFIXES if path.name.lower().endswith(suffix)), "")


def printable(path: Path) -> str:
    """A path in words that can be printed and written: bytes that are no UTF-8 become their escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def case_name(path: Path) -> str:
    """A file's name without its image suffix; the name of a DICOM folder as it is, of a series without its mark."""
    suffix = image_suffix(path)
    if suffix:
        return path.name[: -len(suffix)]
    return (path.name if path.name not in ("", "..") else path.resolve().name).removeprefix(SERIES_MARK)
