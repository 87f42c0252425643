"""What an SR image was made of and how, as JSON beside it. Knows files and their checksums; predicts nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import udeansr
from udeansr.image.dicom import is_series, series_at
from udeansr.image.volume import Geometry
from udeansr.planning.json_file import write_json


@dataclass(frozen=True)
class Provenance:
    """How one SR image was made.

    Attributes:
        image: the LR file, or the DICOM series.
        image_sha256: its checksum (:func:`checksum`).
        model: name of the model.
        model_file: where it lies; None where it needs none, as for tricubic.
        model_sha256: checksum of that file; None with it.
        settings: what was chosen: quality, stride, precision, kind of device, ...
        lr: grid of the LR.
        sr: grid of the SR.
        report: what was measured on this image: consistency, shift, gain, noise, in-domain, ...
    """

    image: Path
    image_sha256: str
    model: str
    model_file: Path | None
    model_sha256: str | None
    settings: dict[str, Any]
    lr: Geometry
    sr: Geometry
    report: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it, with versions and the time (UTC) of the call; always in the same order."""
        return {
            "made_by": {"udeansr": udeansr.__version__, "torch": version("torch")},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "input": {"file": self.image.as_posix(), "sha256": self.image_sha256},
            "model": {
                "name": self.model,
                "file": self.model_file.as_posix() if self.model_file else None,
                "sha256": self.model_sha256,
            },
            "settings": _ordered(self.settings),
            "grid": {"lr": self.lr.as_dict(), "sr": self.sr.as_dict()},
            "report": _ordered(self.report),
        }


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Of a DICOM series: that of the lines ``<checksum>  <file name>``, one a file, sorted, as sha256sum prints them.
    """
    if not is_series(path):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = sorted(f"{checksum(file)}  {file.name}\n" for file in series_at(path).files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_provenance(provenance: Provenance, file: Path) -> None:
    """Write it as JSON, whole or not at all; the folder is made.

    Raises:
        ValueError: if a number is not finite.
    """
    write_json(provenance.as_dict(), file)


def _ordered(values: dict[str, Any]) -> dict[str, Any]:
    """By key, at every depth, so that two runs can be compared line by line."""
    return {key: _ordered(value) if isinstance(value, dict) else value for key, value in sorted(values.items())}
