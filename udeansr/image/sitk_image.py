"""Volumes to and from SimpleITK's images, whose axes run the other way round."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from udeansr.image.header import check_kind, straight_geometry
from udeansr.image.volume import Geometry, Volume

_OF_A_GRID = re.compile(
    "ITK_.*|bitpix|datatype|dim.*|nifti_type|pixdim.*|qfac|qform.*|qoffset.*|qto_.*|quatern.*|scl_.*|sform.*|slice_.*"
    "|srow.*|toffset|vox_offset|xyzt_units"
)
"""Keys that a NIfTI file leaves behind, and that tell of its own grid and voxel type."""

_DICOM = re.compile(r"[0-9a-f]{4}\|[0-9a-f]{4}")
_OF_A_STUDY = re.compile(r"0010\|.*|0008\|(0020|0030|0050|0060|0090|1030)|0020\|(000d|0010|0052)")
"""DICOM tags of patient and study, modality and frame of reference: all that is as true of what is made of an image."""


def sitk_image(voxels: np.ndarray, geometry: Geometry) -> sitk.Image:
    """An image of the same voxels in the same places; SimpleITK names axes (x, y, z), fastest first.

    Args:
        voxels: (Z, Y, X), of a type that SimpleITK has.
        geometry: where they lie.
    """
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(np.asarray(geometry.axes)[::-1].T.flatten().tolist())
    return image


def sitk_volume(image: sitk.Image, name: str = "the SimpleITK image") -> Volume:
    """The way back from :func:`sitk_image`.

    Args:
        image: 3-D; a 4-D image with one volume is taken as that volume.
        name: for messages.
    Returns: the image's own memory, which lives as long as the image does and is not to be written to.
    Raises:
        UdeansrError: if it is not one 3-D scalar image, or its axes are not orthonormal.
    """
    check_kind(name, image.GetSize(), image.GetNumberOfComponentsPerPixel())
    geometry = header_geometry(name, image)
    return Volume(sitk.GetArrayViewFromImage(image).reshape(geometry.shape), geometry)


def header_geometry(name: Path | str, header: sitk.Image | sitk.ImageFileReader) -> Geometry:
    """Where the voxels of an image lie, or of a file whose header was read.

    Raises:
        UdeansrError: as :func:`udeansr.image.header.straight_geometry`.
    """
    size = header.GetSize()
    direction = np.asarray(header.GetDirection()).reshape(len(size), len(size))
    return straight_geometry(name, size, header.GetSpacing(), header.GetOrigin(), direction)


def keep_metadata(source: sitk.Image, made: sitk.Image) -> None:
    """Give an image what the metadata of the one it was made of say that still holds: neither grid nor voxel type.

    Of DICOM tags those of patient and study are kept; UIDs of series and instance are not, since it is neither.
    """
    for key in source.GetMetaDataKeys():
        stale = not _OF_A_STUDY.fullmatch(key) if _DICOM.fullmatch(key) else _OF_A_GRID.fullmatch(key)
        if not stale:
            made.SetMetaData(key, source.GetMetaData(key))
