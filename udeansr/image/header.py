"""What the header of an image says of its grid, checked: one 3-D scalar volume on orthonormal axes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.volume import Geometry, Triple, triple

STRAIGHTEN = "expected an orthonormal direction; resample it onto straight axes"

_logger = logging.getLogger(__name__)


def check_kind(name: Path | str, size: Sequence[int], components: int) -> None:
    """Refuse what is not one 3-D scalar image.

    Args:
        name: of the image, for messages.
        size: along all of its axes; behind the third only 1 will do.
        components: values a voxel.
    Raises:
        UdeansrError: if it is of several values, less than 3-D, or several volumes.
    """
    if components != 1:
        raise UdeansrError(f"{name}: {components} values a voxel; expected one; give magnitude images")
    if len(size) < 3:
        raise UdeansrError(f"{name}: a {len(size)}-D image; expected 3-D; give whole volumes, not slices")
    volumes = int(np.prod(size[3:]))
    if volumes != 1:
        raise UdeansrError(f"{name}: a {len(size)}-D image of {volumes} volumes; expected one; give each its own file")


def check_real(name: Path | str, is_complex: bool) -> None:
    """Refuse complex voxels.

    Raises:
        UdeansrError: if they are.
    """
    if is_complex:
        raise UdeansrError(f"{name}: complex voxels; expected magnitudes; give an image of those")


def straight_geometry(
    name: Path | str, size: Sequence[int], spacing: Sequence[float], origin: Sequence[float], direction: np.ndarray
) -> Geometry:
    """The geometry of the first three axes, in the order (x, y, z) of headers, checked.

    Spacings are rounded to 1e-6 mm, since NIfTI stores 0.7 as 0.699999988. Axes off the orthonormal by less than
    1e-3 are made orthonormal, with a warning; more is refused.

    Args:
        name: of the image, for messages.
        size: voxels along each axis.
        spacing: mm.
        origin: of the first voxel, LPS mm.
        direction: a column an axis, LPS; further rows and columns than three are passed over.
    Raises:
        UdeansrError: if a spacing is not positive or the axes are not orthonormal.
    """
    spacing_mm = tuple(round(float(mm), 6) for mm in spacing[:3])
    if not all(np.isfinite(mm) and mm > 0 for mm in spacing_mm):
        raise UdeansrError(f"{name}: spacing {spacing_mm} mm; expected three positive numbers; mend the header")
    matrix = direction[:3, :3]
    if not (np.isfinite(matrix).all() and np.isfinite(origin[:3]).all()):
        raise UdeansrError(f"{name}: its header says where the voxels lie with numbers that are none; mend the header")
    left, _, right = np.linalg.svd(matrix)
    orthonormal = left @ right
    deviation = float(np.abs(matrix - orthonormal).max())
    if not deviation < 1e-3:
        raise UdeansrError(f"{name}: its axes are {deviation:.3g} off right angles; {STRAIGHTEN}")
    if deviation > 1e-5:
        _logger.warning("%s: its axes were %.1g off right angles and were made orthonormal", name, deviation)
    rows: list[Triple] = [triple(float(c) for c in column) for column in orthonormal.T[::-1]]
    return Geometry(
        shape=triple(int(n) for n in size[2::-1]),
        spacing_mm=triple(spacing_mm[::-1]),
        origin_mm=triple(float(mm) for mm in origin[:3]),
        axes=triple(rows),
    )
