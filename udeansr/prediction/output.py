"""Where what is made of each image goes, in which format, and its provenance beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import udeansr
from udeansr.errors import UdeansrError
from udeansr.image.dicom import is_series, series_at
from udeansr.image.dicom_series import Derivation, write_series
from udeansr.image.files import list_images, write_volume
from udeansr.image.names import case_name, image_suffix
from udeansr.image.volume import Geometry, Volume
from udeansr.paths import GROUPS
from udeansr.prediction.bids import ANAT_SUFFIXES, BidsTarget, bids_targets, write_sidecar
from udeansr.prediction.trust import Trust
from udeansr.strict_json import as_json, read_json, write_json


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
            "grid": {"lr": as_json(self.lr), "sr": as_json(self.sr)},
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


UNCERTAINTY, LABELS = "uncertainty", "labels"
"""Sub-folders of the output, where it is no BIDS dataset."""


@dataclass(frozen=True)
class Output:
    """Where what is made of one image goes.

    Attributes:
        image: the LR image.
        sr: its SR: a file, or the folder of a DICOM series.
        uncertainty: the uncertainty of SR, as SR.
        labels: its label map, a file.
        dicom: whether SR and uncertainty are DICOM series derived from the image.
        bids: its place in a derivative dataset; None outside of one.
    """

    image: Path
    sr: Path
    uncertainty: Path
    labels: Path
    dicom: bool = False
    bids: BidsTarget | None = None

    @property
    def sidecar(self) -> Path:
        """Its JSON."""
        return _sidecar(self.sr)

    def files(self, *, json: bool, uncertainty: bool, labels: bool) -> tuple[Path, ...]:
        """All that is made of the image if that is asked for."""
        images = [self.sr, *([self.uncertainty] if uncertainty else []), *([self.labels] if labels else [])]
        beside = images if self.bids is not None else [self.sr] if json else []
        return (*images, *map(_sidecar, beside))

    @property
    def has_provenance(self) -> bool:
        """Whether the sidecar says how SR was made."""
        if self.bids is None:
            return self.sidecar.exists()
        try:
            return "udeansr" in read_json(self.sidecar, "JSON of BIDS", "remove it")
        except UdeansrError:
            return False  # so that it is made anew

    def write_sr(self, sr: Volume, how: str, trust: Trust | None = None) -> None:
        """Write SR, whole or not at all, and in a BIDS dataset its sidecar after it.

        Args:
            sr: on the HR grid of the image.
            how: scale, model and version, in words.
            trust: told in a DICOM series; that the LR lies outside the model's domain by the name of the series too.
        Raises:
            UdeansrError: if it cannot be written.
        """
        mark = "SR OUTSIDE DOMAIN" if trust is not None and trust.outside else "SR"
        self._write(sr, self.sr, Derivation(how, mark, comment="" if trust is None else str(trust)), how)

    def write_uncertainty(self, uncertainty: Volume, how: str) -> None:
        """Write the uncertainty of SR; as :meth:`write_sr`."""
        text = f"Uncertainty, in the unit of the image, of: {how}"
        self._write(uncertainty, self.uncertainty, Derivation(text, "SR uncertainty", 2000), text)

    def write_provenance(self, provenance: Provenance, how: str) -> None:
        """Write how SR was made: a file beside it, or in a BIDS dataset the key ``udeansr`` of its sidecar."""
        if self.bids is None:
            write_provenance(provenance, self.sidecar)
        else:
            self._describe(self.sr, how, {"udeansr": provenance.as_dict()})

    def describe_labels(self, how: str) -> None:
        """Write the sidecar of the label map, where the output is a BIDS dataset."""
        if self.bids is not None:
            self._describe(self.labels, f"Label map, to the grid of SR by nearest neighbour; SR: {how}", {})

    def _write(self, volume: Volume, path: Path, derivation: Derivation, description: str) -> None:
        if self.dicom:
            write_series(volume, self.image, path, derivation)
            return
        write_volume(volume, path, self.image, description)
        if self.bids is not None:
            self._describe(path, description, {})

    def _describe(self, path: Path, description: str, more: dict[str, Any]) -> None:
        assert self.bids is not None
        write_sidecar(path, self.bids, "Grid that tiles the voxels of the source with smaller ones", description, more)


def plan_outputs(
    lr: Path,
    sr_folder: Path,
    *,
    dicom: bool = False,
    bids: bool = False,
    json: bool = False,
    suffixes: Sequence[str] = ANAT_SUFFIXES,
) -> dict[Path, Output]:
    """The images that are meant, and where what is made of each goes; nothing is written.

    Names are kept: ``sr_folder/<name>`` with the suffix of the image, ``.nii.gz`` for a DICOM series, none for a series
    written as DICOM. Uncertainty and labels go under sub-folders. In a BIDS dataset the standard says it all.

    Args:
        lr: an image, a DICOM folder, a folder of images; with ``bids`` a dataset or a part of it.
        sr_folder: the output.
        dicom: whether SR becomes a DICOM series derived from the image.
        bids: whether input and output are BIDS datasets.
        json: whether provenance is written beside each SR.
        suffixes: with ``bids``, which images.
    Raises:
        UdeansrError: if there is no image, two would become one, the formats exclude each other, or the output may
            not lie there.
    """
    if sr_folder.exists() and not sr_folder.is_dir():
        raise UdeansrError(f"{sr_folder}: the output is a file; expected a folder; give one with -o")
    if bids:
        if dicom:
            raise UdeansrError("--bids and --dicom were both given; BIDS holds NIfTI only; give one of them")
        targets = bids_targets(lr, sr_folder, suffixes)
        outputs = {image: _in_bids(target) for image, target in targets.items()}
        _check_distinct(outputs, json)
        return outputs
    images = list_images(lr)
    _check_apart(lr, sr_folder, images)
    outputs: dict[Path, Output] = {}
    for image in images:
        if dicom and not is_series(image):
            raise UdeansrError(
                f"{image}: no DICOM; --dicom derives SR from a DICOM series; leave it out for this image"
            )
        outputs[image] = _plain(image, sr_folder, dicom)
    _check_distinct(outputs, json)
    return outputs


def _sidecar(made: Path) -> Path:
    return made.with_name(f"{case_name(made)}.json")


def _check_distinct(outputs: dict[Path, Output], json: bool) -> None:
    """Refuse two images of which one file would be made, before any work."""
    owner: dict[Path, Output] = {}
    for output in outputs.values():
        for path in output.files(json=json, uncertainty=True, labels=False):
            twin = owner.setdefault(path, output)
            if twin is not output:
                raise UdeansrError(
                    f"{output.image.name} and {twin.image.name} would both become {path}; rename one, or predict them "
                    "apart"
                )


def _plain(image: Path, folder: Path, dicom: bool) -> Output:
    name, suffix = case_name(image), image_suffix(image) or ".nii.gz"
    own = "" if dicom else suffix
    return Output(
        image=image,
        sr=folder / f"{name}{own}",
        uncertainty=folder / UNCERTAINTY / f"{name}{own}",
        labels=folder / LABELS / f"{name}{suffix}",
        dicom=dicom,
    )


def _in_bids(target: BidsTarget) -> Output:
    return Output(target.image, target.sr, target.uncertainty, target.labels, bids=target)


def _check_apart(lr: Path, sr_folder: Path, images: list[Path]) -> None:
    """Refuse an output among the inputs; DICOM is looked for in sub-folders as well."""
    home, output = (lr if lr.is_dir() else lr.parent).resolve(), sr_folder.resolve()
    for folder in (output, *output.parents):
        if folder.name in GROUPS and (folder.parent / "dataset.json").is_file():
            raise UdeansrError(
                f"{sr_folder}: the output lies among the scans of the dataset {folder.parent}, where SR would be taken "
                "for one of them; choose another with -o"
            )
    if output == home:
        raise UdeansrError(f"{sr_folder}: input and output are one folder; SR would replace LR; choose another with -o")
    if home in output.parents and any(is_series(image) for image in images):
        raise UdeansrError(
            f"{sr_folder}: the output lies within the DICOM folder {home}, where SR would be taken for LR the next "
            "time; choose another with -o"
        )
