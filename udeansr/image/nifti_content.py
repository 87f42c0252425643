"""Whether a NIfTI file is whole. Knows bytes and where the header says the voxels lie; makes no volume.

SimpleITK takes voxels that are missing, as after a broken copy, as 0 without a word.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

from udeansr.errors import UdeansrError

CHUNK_BYTES = 1 << 24
HEADER_BYTES = 348


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


def _promised_bytes(header: bytes) -> int:
    """How long the header says the file is, at least; 0 for what is no header.

    Source: nifti1.h of https://nifti.nimh.nih.gov; either byte order.
    """
    if len(header) < HEADER_BYTES:
        return 0
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", header, 0)
        if size == HEADER_BYTES:
            dimensions = struct.unpack_from(f"{order}8h", header, 40)
            (bits,) = struct.unpack_from(f"{order}h", header, 72)
            (start,) = struct.unpack_from(f"{order}f", header, 108)
            return int(start) + math.prod(max(1, n) for n in dimensions[1 : 1 + dimensions[0]]) * bits // 8
    return 0
