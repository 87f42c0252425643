"""BIDS in and out: which images of a dataset, and where their SR goes.

Source: https://bids-specification.readthedocs.io (1.10): common principles, derivatives of imaging data.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import udeansr
from udeansr.errors import UdeansrError
from udeansr.files import write_whole
from udeansr.image.bids import ANAT_SUFFIXES, DESCRIPTION_FILE, BidsName, anat_images, is_anatomy
from udeansr.image.names import case_name, image_suffix
from udeansr.strict_json import read_json_object, write_json

BIDS_VERSION = "1.10.0"
IGNORE_FILE, PAGES = ".bidsignore", "*.html"
LINK = "source"
"""The name by which BIDS URIs of ours call the dataset that was super-resolved."""

UNTRUE_OF_SR = """SliceThickness SpacingBetweenSlices AcquisitionMatrix AcquisitionMatrixPE ReconMatrixPE
BaseResolution ConversionSoftware ConversionSoftwareVersion ImageType Sources RawSources Resolution Description
SeriesInstanceUID SeriesNumber"""
"""What a sidecar says of the LR file and not of the subject, the scanner or the sequence."""

_README = """# {name}

Images super-resolved by udeansr {version}. Their voxels were computed from the images of lower resolution that each
sidecar names under `Sources`; they were not acquired at this resolution. `desc-udeansr` marks the image,
`desc-udeansrUncertainty` its uncertainty in the unit of the image, and `dseg` a label map brought to its grid by
nearest neighbour.
"""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BidsTarget:
    """Where what is made of an image goes.

    Attributes:
        image: the image.
        source: its BIDS URI.
        sr: the super-resolved image.
        uncertainty: its uncertainty.
        labels: its label map.
        metadata: what the image's sidecars say, those at higher levels included, and is true of SR as well.
    """

    image: Path
    source: str
    sr: Path
    uncertainty: Path
    labels: Path
    metadata: dict[str, Any]


def dataset_root(path: Path) -> Path:
    """The BIDS dataset that a path lies in: the nearest folder upwards with a ``dataset_description.json``.

    Raises:
        UdeansrError: if there is none.
    """
    here = _absolute(path)
    for folder in (here, *here.parents):
        if (folder / DESCRIPTION_FILE).is_file():
            return folder
    raise UdeansrError(
        f"{path}: no BIDS dataset; expected a folder with {DESCRIPTION_FILE}, or one within; leave out --bids"
    )


def bids_targets(given: Path, output: Path, suffixes: Sequence[str] = ANAT_SUFFIXES) -> dict[Path, BidsTarget]:
    """The anatomical images of a BIDS dataset, and where what is made of each goes.

    Args:
        given: a dataset, a folder in one (a subject, a session), or one image.
        output: the derivative dataset to be; nothing is written.
        suffixes: which images, ``["T1w"]``.
    Raises:
        UdeansrError: if there is no dataset or no such image, or the output may not be there.
    """
    root = dataset_root(given)
    _check_output(root, _absolute(output))
    raw = _json(root / DESCRIPTION_FILE).get("DatasetType", "raw") == "raw"
    found, left_out = {}, []
    for image in anat_images(root, _absolute(given)):
        name = BidsName.parse(case_name(image))
        if name is None or not is_anatomy(name, suffixes):
            left_out.append(image.name)
            continue
        found[image] = _target(image, name, root, output, raw)
    if left_out:
        _logger.info("%s: left out %d images of anat: %s", given, len(left_out), ", ".join(left_out))
    if not found:
        raise UdeansrError(f"{given}: no image of anat with suffix {', '.join(suffixes)} in this part of {root}")
    return found


def write_dataset_description(output: Path, given: Path, how: str) -> None:
    """Make a folder a derivative dataset: ``dataset_description.json`` and, where there is none, ``README.md``.

    Args:
        output: the folder, made where it is not there.
        given: the dataset that was super-resolved, or a part of it.
        how: model and settings in words.
    Raises:
        UdeansrError: if another program's dataset lies there.
    """
    root = dataset_root(given)
    _check_output(root, _absolute(output))
    source = _json(root / DESCRIPTION_FILE)
    name = f"Super-resolution of {source.get('Name', root.name)}"
    link = quote(os.path.relpath(root, _absolute(output))) + "/"
    description = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        **{key: source[key] for key in ("License",) if key in source},
        "GeneratedBy": [{"Name": "udeansr", "Version": udeansr.__version__, "Description": how}],
        "SourceDatasets": [{"URL": source.get("DatasetDOI", link)}],
        "DatasetLinks": {LINK: link},
    }
    write_json(description, output / DESCRIPTION_FILE)
    if not (output / "README.md").exists():
        text = _README.format(name=name, version=udeansr.__version__)
        write_whole(output / "README.md", text)


def ignore_pages(output: Path) -> None:
    """Have validators of a derivative dataset leave our pages alone, by its ``.bidsignore``; what is there stays.

    Raises:
        UdeansrError: if it cannot be written.
    """
    path = output / IGNORE_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if PAGES not in lines:
        write_whole(path, "\n".join([*lines, PAGES, ""]))


def write_sidecar(file: Path, target: BidsTarget, resolution: str, description: str, more: dict[str, Any]) -> None:
    """Write the JSON beside an image of ours.

    Args:
        file: one of the target's images.
        target: whose metadata to take over; a label map takes none.
        resolution: in words, what ``res-sr`` means here.
        description: in words, what the image is.
        more: further keys, such as those of :mod:`udeansr.prediction.output`.
    """
    values = {} if file == target.labels else dict(target.metadata)
    values |= {"Description": description, "Resolution": resolution, "Sources": [target.source], **more}
    write_json(values, file.with_name(f"{case_name(file)}.json"))


def _target(image: Path, name: BidsName, root: Path, output: Path, raw: bool) -> BidsTarget:
    relative = image.relative_to(root)
    folder, end = output / relative.parent, image_suffix(image)
    metadata = _inherited(image, name, root)
    if "SkullStripped" not in metadata and raw:
        metadata["SkullStripped"] = False  # raw images hold the head as it was measured
    elif "SkullStripped" not in metadata:
        _logger.warning("%s: its sidecar does not say SkullStripped, which that of its SR should", image)
    return BidsTarget(
        image=image,
        source=f"bids:{LINK}:{quote(relative.as_posix())}",
        sr=folder / f"{name.derived('udeansr', 'sr')}{end}",
        uncertainty=folder / f"{name.derived('udeansrUncertainty', 'sr')}{end}",
        # The suffix of the image goes into desc: label maps of T1w and T2w would else have one name.
        labels=folder / f"{name.derived('udeansr' + name.suffix, 'sr', 'dseg')}{end}",
        metadata={key: value for key, value in metadata.items() if key not in UNTRUE_OF_SR.split()},
    )


def _inherited(image: Path, name: BidsName, root: Path) -> dict[str, Any]:
    """The sidecars that apply to an image, from the top of the dataset down; the nearer one has the last word."""
    values: dict[str, Any] = {}
    folders = [folder for folder in reversed(image.parents) if folder == root or root in folder.parents]
    for folder in folders:
        applying = [
            (len(parsed.entities), file)
            for file in sorted(folder.glob(f"*{name.suffix}.json"))
            if (parsed := _sidecar_name(file.stem)) is not None and parsed.applies_to(name)
        ]
        for _, file in sorted(applying):
            values |= _json(file)
    return values


def _sidecar_name(stem: str) -> BidsName | None:
    """As an image's, but a sidecar at the top may have a suffix only."""
    return BidsName({}, stem) if stem.isalnum() else BidsName.parse(stem)


def _json(file: Path) -> dict[str, Any]:
    return read_json_object(file, "JSON of BIDS", "mend it: see https://bids.neuroimaging.io")


def _absolute(path: Path) -> Path:
    """From the root of the file system, without ``..``; links stay as they are."""
    return Path(os.path.abspath(path))


def _check_output(root: Path, output: Path) -> None:
    """Refuse a place where a derivative dataset would spoil another one."""
    root, output = root.resolve(), output.resolve()
    inside = root in output.parents
    if output == root or (inside and (output.relative_to(root).parts[0] != "derivatives" or output.parent == root)):
        raise UdeansrError(
            f"{output}: the output would lie among the images of the dataset {root}; "
            f"give a folder of its own, such as -o {root / 'derivatives' / 'udeansr'}"
        )
    if (output / DESCRIPTION_FILE).is_file():
        makers = _json(output / DESCRIPTION_FILE).get("GeneratedBy") or []
        if "udeansr" not in [maker.get("Name") for maker in makers]:
            raise UdeansrError(f"{output}: holds a BIDS dataset that udeansr did not make; choose another output")
