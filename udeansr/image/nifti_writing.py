"""A volume as a NIfTI file, written slice after slice. Knows files of one format; names and replaces none."""

from __future__ import annotations

from pathlib import Path

import nibabel

from udeansr.image.nibabel_image import nibabel_image
from udeansr.image.volume import Volume

COMPRESSION = 1
"""Of gzip. Higher levels cost several times the seconds and save a few percent of an MR image."""


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
