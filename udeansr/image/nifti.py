"""NIfTI: volumes to and from nibabel's images, writing them slice after slice, refusing files that are cut off."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import nibabel
import numpy as np
from nibabel.spatialimages import SpatialImage

from udeansr.errors import UdeansrError
from udeansr.image.header import check_kind, straight_geometry
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

_KEPT = ("descrip", "aux_file", "cal_max", "cal_min")
"""What a header says that is as true of what is made of an image: words, and the range to show."""


def nibabel_image(volume: Volume, like: SpatialImage | None = None) -> nibabel.Nifti1Image:
    """A NIfTI image of the same voxels, in their memory and type, in the same places; its unit is mm.

    Args:
        volume: voxels of a type that NIfTI has.
        like: the image that it was made of: its words, range to show and code of the space (scanner, template, ...)
            are kept.
    """
    affine = affine_ras(volume.geometry)
    image = nibabel.Nifti1Image(volume.voxels.T, affine, dtype=volume.voxels.dtype)
    code = _SCANNER
    if like is not None and isinstance(like.header, nibabel.Nifti1Header):
        code = int(like.header["sform_code"]) or int(like.header["qform_code"]) or _SCANNER
        for key in _KEPT:
            image.header[key] = like.header[key]
    # Both, and alike, as ITK writes them: some programs read the one, some the other.
    image.set_qform(affine, code)
    image.set_sform(affine, code)
    image.header.set_xyzt_units("mm", "sec")
    return image


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
    if image.affine is None:
        raise UdeansrError(f"{name}: it has no affine; expected one, which tells spacing and orientation; give it one")
    affine = _LPS_TO_RAS @ np.asarray(image.affine, dtype=np.float64)
    if isinstance(image.header, nibabel.Nifti1Header):
        affine[:3] *= _UNIT_MM.get(str(image.header.get_xyzt_units()[0]), 1.0)
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
    direction = affine[:3, :3] / np.where(spacing_mm > 0, spacing_mm, 1)
    geometry = straight_geometry(name, image.shape, spacing_mm.tolist(), affine[:3, 3].tolist(), direction)
    return Volume(np.asanyarray(image.dataobj).T.reshape(geometry.shape), geometry)


def affine_ras(geometry: Geometry) -> np.ndarray:
    """(4, 4): from voxel indices (X, Y, Z, 1) to world positions (R, A, S, 1), mm."""
    lps = np.eye(4)
    lps[:3, :3] = geometry.steps_mm[::-1].T
    lps[:3, 3] = geometry.origin_mm
    return _LPS_TO_RAS @ lps


def write_nifti(volume: Volume, path: Path) -> None:
    """Write voxels in their own type; the slices go to the file one by one, so that no second copy of them is held.

    Args:
        volume: voxels of a type that NIfTI has; they may lie in a file themselves.
        path: a .nii or .nii.gz file; what is there is overwritten.
    Raises:
        OSError: if it cannot be written.
    """
    image = nibabel_image(volume)
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
    except (EOFError, OSError, zlib.error) as error:
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
    voxels = math.prod(max(1, side) for side in header.get_data_shape())
    return header.get_data_offset() + voxels * int(header["bitpix"]) // 8
