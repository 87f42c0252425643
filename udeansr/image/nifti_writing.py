"""A volume as a NIfTI file, written slice after slice. Knows voxels and headers; names and replaces no file."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from udeansr.image.volume import Geometry, Volume

COMPRESSION = 1
"""Of gzip. Higher levels cost several times the seconds and save a few percent of an MR image."""

_SCANNER = 1
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Our geometry has the one, NIfTI the other."""


def write_nifti(volume: Volume, path: Path) -> None:
    """Write voxels in their own type; the slices go to the file one by one, so that no second copy of them is held.

    Args:
        volume: voxels of a type that NIfTI has; they may lie in a file themselves.
        path: a .nii or .nii.gz file; what is there is overwritten.
    Raises:
        OSError: if it cannot be written.
    """
    affine = affine_ras(volume.geometry)
    image = nibabel.Nifti1Image(volume.voxels.T, affine, dtype=volume.voxels.dtype)
    # Both, and alike, as ITK writes them: some programs read the one, some the other.
    image.set_qform(affine, _SCANNER)
    image.set_sform(affine, _SCANNER)
    image.header.set_xyzt_units("mm", "sec")
    compressed = {"compresslevel": COMPRESSION} if path.name.endswith(".gz") else {}
    with nibabel.openers.ImageOpener(path, "wb", **compressed) as file:  # type: ignore[attr-defined]
        image.to_stream(file)


def affine_ras(geometry: Geometry) -> np.ndarray:
    """(4, 4): from voxel indices (X, Y, Z, 1) to world positions (R, A, S, 1), mm."""
    lps = np.eye(4)
    lps[:3, :3] = geometry.steps_mm[::-1].T
    lps[:3, 3] = geometry.origin_mm
    return _LPS_TO_RAS @ lps
