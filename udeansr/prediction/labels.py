"""Label maps of LR to the grid of SR."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import same_grid
from udeansr.image.names import case_name
from udeansr.image.volume import Geometry, Volume

TOLERANCE = 0.01
"""How far the corners of an LR and its label map may lie apart, in parts of the smallest spacing."""

_logger = logging.getLogger(__name__)


def find_labels(labels: Path, images: Sequence[Path]) -> dict[Path, Path]:
    """The label map of each image that has one: the file of the same name, the suffix apart.

    What is without a partner, on either side, is warnings in one line of the log.

    Raises:
        UdeansrError: if there is no label map, two have one name, or none belongs to an image.
    """
    by_name: dict[str, Path] = {}
    for path in list_images(labels):
        if case_name(path) in by_name:
            raise UdeansrError(
                f"{path}: has the name of {by_name[case_name(path)].name}; expected one label map a name"
            )
        by_name[case_name(path)] = path
    found = {image: by_name[case_name(image)] for image in images if case_name(image) in by_name}
    if not found:
        raise UdeansrError(
            f"{labels}: no label map has the name of an image; expected such as {case_name(images[0])}.nii.gz"
        )
    without = sorted(case_name(image) for image in images if image not in found)
    extra = sorted(name for name, path in by_name.items() if path not in found.values())
    warnings = [
        f"{text}: {', '.join(names)}"
        for text, names in (("images without labels", without), ("labels without an image", extra))
        if names
    ]
    if warnings:
        _logger.warning("%s: %s", labels, "; ".join(warnings))
    return found


def read_labels(path: Path, lr: Geometry) -> Volume:
    """Read a label map and check it against its LR.

    Args:
        path: the label map.
        lr: grid of the LR image it belongs to.
    Raises:
        UdeansrError: if it cannot be read, or as :func:`check_labels`.
    """
    labels = read_volume(path)
    check_labels(path, labels, lr)
    return labels


def check_labels(path: Path, labels: Volume, lr: Geometry) -> None:
    """Refuse a label map that is not one, or does not lie on the grid of its LR.

    Raises:
        UdeansrError: naming the first of size, spacing, origin and direction that differs, or a value that is no label.
    """
    own, near = labels.geometry, TOLERANCE * min(lr.spacing_mm)
    pairs = {
        "size": (own.shape, lr.shape, 0.5),
        "spacing": (own.spacing_mm, lr.spacing_mm, near / max(lr.shape)),
        "origin": (own.origin_mm, lr.origin_mm, near),
        "direction": (own.axes, lr.axes, near / (max(lr.shape) * max(lr.spacing_mm))),
    }
    if own.shape != lr.shape or not same_grid(own, lr, near):
        differing = {key: pair for key, pair in pairs.items() if np.abs(np.subtract(*pair[:2])).max() > pair[2]}
        what, (found, expected, _) = next(iter((differing or pairs).items()))
        raise UdeansrError(
            f"{path}: its {what} (Z, Y, X) is {_shown(found)}, that of its image {_shown(expected)}; "
            "expected a label map on the grid of the LR"
        )
    if labels.voxels.dtype.kind == "f" and not np.array_equal(labels.voxels, np.rint(labels.voxels)):
        raise UdeansrError(f"{path}: holds values that are not whole; expected a label map, a whole number a voxel")


def labels_to_sr(labels: Volume, sr: Geometry) -> Volume:
    """Bring a label map from the LR grid to the SR grid by nearest neighbour.

    Each voxel takes the label of the voxel that its centre lies in: where SR voxels tile LR voxels, nothing is rounded.

    Args:
        labels: on the LR grid.
        sr: the grid of the SR image of that LR, as it is stored: along its axes, with its middle.
    Returns: the same numeric type and labels.
    """
    voxels, grid = labels.voxels, labels.geometry
    for axis, (count, mm) in enumerate(zip(sr.shape, sr.spacing_mm, strict=True)):
        size, own_mm = grid.shape[axis], grid.spacing_mm[axis]
        places = (np.arange(count) - (count - 1) / 2) * (mm / own_mm) + size / 2
        voxels = np.take(voxels, np.clip(np.floor(places).astype(int), 0, size - 1), axis=axis)
    return Volume(voxels, sr)


def _shown(values: object) -> str:
    return str(np.round(np.asarray(values, dtype=np.float64), 4).tolist())
