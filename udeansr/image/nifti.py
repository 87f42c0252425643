"""NIfTI: volumes to and from nibabel's images, writing them slice after slice, refusing files that are cut off."""

from __future__ import annotations

import gzip
import itertools
import logging
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Extension
from nibabel.spatialimages import HeaderDataError, SpatialImage

from udeansr.errors import UdeansrError
from udeansr.image.header import check_kind, check_real, straight_geometry
from udeansr.image.names import image_suffix
from udeansr.image.volume import Geometry, Volume

COMPRESSION = 1
"""Of gzip. Higher levels cost several times the seconds and save a few percent of an MR image."""

CHUNK_BYTES = 1 << 24
"""Read at a time of a file that is checked."""

HEADER_BYTES = nibabel.Nifti1Header.sizeof_hdr

_SCANNER = 1
"""NIfTI's code of the space in which the scanner's coordinates are given."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Our geometry has the one, NIfTI the other; it is its own way back."""

_UNIT_MM = {"meter": 1e3, "micron": 1e-3}
"""All others are mm, or say nothing and are taken for mm, as everywhere."""

_DESCRIPTION_BYTES = 80
"""Of a header, of which the last is 0."""

_ALIKE_MM = 0.1
"""Two forms that set a voxel less apart are one: rounding of the quaternion does so."""

_logger = logging.getLogger(__name__)

_KEPT = ("descrip", "aux_file", "cal_max", "cal_min")
"""What a header says that is as true of what is made of an image: words, and the range to show."""


def nibabel_image(volume: Volume, like: SpatialImage | None = None, how: str = "") -> nibabel.Nifti1Image:
    """A NIfTI image of the same voxels, in their memory and type, in the same places; its unit is mm.

    qform and sform are alike, as ITK writes them, since some programs read the one, some the other; but where those of
    ``like`` differ, each is brought to the grid.

    Args:
        volume: voxels of a type that NIfTI has.
        like: the image that it was made of: its words, range to show and code of the space (scanner, template, ...)
            and its extensions are kept.
        how: it was made, in words: an extension of its own, and behind the description, as far as there is room.
    """
    affine = affine_ras(volume.geometry)
    image = nibabel.Nifti1Image(volume.voxels.T, affine, dtype=volume.voxels.dtype)
    code, qform, qform_code = _SCANNER, affine, _SCANNER
    if like is not None and isinstance(like.header, nibabel.Nifti1Header):
        code = qform_code = int(like.header["sform_code"]) or int(like.header["qform_code"]) or _SCANNER
        for key in _KEPT:
            image.header[key] = like.header[key]
        image.header.extensions.extend(like.header.extensions)
        if forms_differ(like.header):
            qform_code = int(like.header["qform_code"])
            qform = _in_mm(like.header, "qform") @ np.linalg.inv(_in_mm(like.header, "sform")) @ affine
    if how:
        image.header.extensions.append(Nifti1Extension("comment", how.encode()))
        words, made = image.header["descrip"].item(), how.encode("ascii", "replace")
        if not words:
            image.header["descrip"] = made[: _DESCRIPTION_BYTES - 1]
        elif len(words) + len(made) + 2 < _DESCRIPTION_BYTES:
            image.header["descrip"] = bytes(words) + b"; " + made
    image.set_qform(qform, qform_code)
    image.set_sform(affine, code)
    image.header.set_xyzt_units("mm", "sec")
    return image


def forms_differ(header: nibabel.Nifti1Header) -> bool:
    """Whether qform and sform are both coded and set a voxel of the image apart by more than 0.1 mm."""
    if not (int(header["sform_code"]) > 0 and int(header["qform_code"]) > 0):
        return False
    return not _alike(_in_mm(header, "qform"), _in_mm(header, "sform"), header.get_data_shape())


def by_sform(path: Path, found: Geometry, told: bool) -> Geometry:
    """The geometry of a NIfTI file by its sform where one is coded, as nibabel, FSL and fMRIPrep take it.

    Args:
        path: a .nii or .nii.gz file.
        found: its geometry as ITK takes it, which may be the qform's, or have the spacing of pixdim.
        told: whether another geometry than one that some reader takes is warned of.
    Raises:
        UdeansrError: if the axes of the sform are not orthonormal.
    """
    image = _loaded(path)
    if image is None or int(image.header["sform_code"]) <= 0:
        return found
    header = image.header
    sform = _in_mm(header, "sform")
    alike = _alike(affine_ras(found), sform, header.get_data_shape())
    differs = "qform" if forms_differ(header) else "" if alike else "pixdim"
    if told and differs:
        _logger.warning("%s: its %s and sform differ; the sform is followed", path, differs)
    if alike:
        return found
    return _geometry(str(path), found.shape[::-1], _LPS_TO_RAS @ sform)


def _loaded(path: Path | None) -> nibabel.Nifti1Image | None:
    """A NIfTI file, its voxels not yet read; None for all others, and for headers that ITK alone understands."""
    if path is None or not image_suffix(path).startswith(".nii"):
        return None
    try:
        image = nibabel.load(path)
    except (HeaderDataError, ImageFileError, OSError, ValueError):
        return None
    return image if isinstance(image, nibabel.Nifti1Image) else None


def _in_mm(header: nibabel.Nifti1Header, form: str) -> np.ndarray:
    """(4, 4): the qform or sform of a header, whose unit need not be mm."""
    affine = np.array(header.get_sform() if form == "sform" else header.get_qform(), dtype=np.float64)
    affine[:3] *= _UNIT_MM.get(str(header.get_xyzt_units()[0]), 1.0)
    return affine


def _alike(one: np.ndarray, other: np.ndarray, sides: Sequence[int]) -> bool:
    """Whether two affines agree at all corners of an image; not, if a number of one is none."""
    ends = [(0, max(0, side - 1)) for side in sides[:3]]
    corners = np.array([(*corner, 1) for corner in itertools.product(*ends)]).T
    return bool(np.abs((one - other) @ corners).max() <= _ALIKE_MM)


def _geometry(name: str, shape: Sequence[int], affine: np.ndarray) -> Geometry:
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
    direction = affine[:3, :3] / np.where(spacing_mm > 0, spacing_mm, 1)
    return straight_geometry(name, shape, spacing_mm.tolist(), affine[:3, 3].tolist(), direction)


def nibabel_volume(image: SpatialImage, name: str = "the nibabel image") -> Volume:
    """The way back from :func:`nibabel_image`.

    Args:
        image: of any format that has an affine. A 4-D image with one volume is taken as that volume.
        name: for messages.
    Returns: the stored numbers where the header does not rescale them, else what they are rescaled to; the image's own
        memory, where it has them in memory.
    Raises:
        UdeansrError: if it is not one 3-D scalar image, or its affine is missing or not of orthonormal axes.
    """
    fields = image.get_data_dtype().fields
    check_kind(name, image.shape, len(fields) if fields else 1)
    check_real(name, image.get_data_dtype().kind == "c")
    if image.affine is None:
        raise UdeansrError(f"{name}: it has no affine; expected one, which tells spacing and orientation; give it one")
    affine = _LPS_TO_RAS @ np.asarray(image.affine, dtype=np.float64)
    if isinstance(image.header, nibabel.Nifti1Header):
        affine[:3] *= _UNIT_MM.get(str(image.header.get_xyzt_units()[0]), 1.0)
    geometry = _geometry(name, image.shape, affine)
    return Volume(np.asanyarray(image.dataobj).T.reshape(geometry.shape), geometry)


def affine_ras(geometry: Geometry) -> np.ndarray:
    """(4, 4): from voxel indices (X, Y, Z, 1) to world positions (R, A, S, 1), mm."""
    lps = np.eye(4)
    lps[:3, :3] = geometry.steps_mm[::-1].T
    lps[:3, 3] = geometry.origin_mm
    return _LPS_TO_RAS @ lps


def write_nifti(volume: Volume, path: Path, like: Path | None = None, how: str = "") -> None:
    """Write voxels in their own type; the slices go to the file one by one, so that no second copy of them is held.

    Args:
        volume: voxels of a type that NIfTI has; they may lie in a file themselves.
        path: a .nii or .nii.gz file; what is there is overwritten.
        like: the file that it was made of, as :func:`nibabel_image`.
        how: it was made, in words, as :func:`nibabel_image`.
    Raises:
        OSError: if it cannot be written.
    """
    image = nibabel_image(volume, _loaded(like), how)
    compressed = {"compresslevel": COMPRESSION} if path.name.endswith(".gz") else {}
    with nibabel.openers.ImageOpener(path, "wb", **compressed) as file:  # type: ignore[attr-defined]
        image.to_stream(file)


def check_whole(path: Path) -> None:
    """Refuse a NIfTI file whose voxels are not all there and intact.

    What is no NIfTI passes: the reader has its own words for that.

    Args:
        path: a .nii or .nii.gz file.
    Raises:
        UdeansrError: if the file ends early or its checksum is wrong.
    """
    found = 0
    try:
        with _opened(path) as stream:
            promised = _promised_bytes(stream.read(HEADER_BYTES))
            found = HEADER_BYTES
            # To the very end, since the checksum of .gz stands there.
            while chunk := stream.read(CHUNK_BYTES):
                found += len(chunk)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise UdeansrError(f"{path}: cannot be read ({error}); copy it again, or take it out") from error
    if found < promised:
        raise UdeansrError(
            f"{path}: cut off: it holds {found} of the {promised} bytes that its header promises; "
            "copy it again, or take it out"
        )


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if compressed else path.open("rb")  # type: ignore[return-value]


def _promised_bytes(block: bytes) -> int:
    """How long the header says the file is, at least; 0 for what is no header of NIfTI-1."""
    if len(block) < HEADER_BYTES:
        return 0
    header = nibabel.Nifti1Header(block, check=False)
    if header["sizeof_hdr"] != HEADER_BYTES:
        return 0
    if not 0 <= float(header["vox_offset"]) < np.inf:
        raise ValueError("its header says that the voxels begin nowhere")
    voxels = math.prod(max(1, side) for side in header.get_data_shape())
    return header.get_data_offset() + voxels * int(header["bitpix"]) // 8
