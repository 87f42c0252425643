"""Reading and writing volumes: NIfTI, MetaImage, NRRD and DICOM series."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from pydicom.misc import is_dicom

from udeansr.errors import UdeansrError, did_you_mean
from udeansr.files import CHECK_DISK, whole_file
from udeansr.image.bids import is_dataset
from udeansr.image.dicom import is_series, list_series
from udeansr.image.dicom_volume import read_series, read_series_geometry
from udeansr.image.header import STRAIGHTEN, check_kind
from udeansr.image.names import IMAGE_SUFFIXES, image_suffix
from udeansr.image.nifti import check_whole, write_nifti
from udeansr.image.sitk_image import header_geometry, sitk_image
from udeansr.image.volume import Geometry, Volume

_FORMATS = ", ".join(IMAGE_SUFFIXES) + " or a folder with one DICOM series"


def list_images(path: Path) -> list[Path]:
    """The images that a path means: itself, or all images directly in a folder, sorted by name.

    Hidden files are passed over. A folder that holds one DICOM series counts as one image; one with several holds as
    many, by names that :func:`read_volume` understands (:func:`udeansr.image.dicom.list_series`).

    Raises:
        UdeansrError: if the path does not exist or means no image.
    """
    if is_series(path) and not path.is_dir():
        return [path]
    if not path.exists():
        beside = (other.name for other in path.parent.iterdir()) if path.parent.is_dir() else ()
        near = did_you_mean(path.name, beside)
        raise UdeansrError(f"{path}: no such file or folder{near}; expected {_FORMATS}, or a folder of those")
    if path.is_file():
        return [_of_our_formats(path)]
    # A link that leads nowhere counts, so that its reader says so.
    visible = [child for child in path.iterdir() if not child.name.startswith(".") and not child.is_dir()]
    images = sorted([*(child for child in visible if image_suffix(child)), *list_series(path)])
    if not images:
        bids = "it is a BIDS dataset, which udeansr_predict takes with --bids, and training by dataset.json"
        hint = bids if is_dataset(path) else f"expected {_FORMATS}"
        raise UdeansrError(f"{path}: no image in this folder; {hint}")
    return images


def read_geometry(path: Path) -> Geometry:
    """The geometry of an image, from its header alone.

    Raises:
        UdeansrError: as :func:`read_volume`, but for what only the voxels can tell.
    """
    if is_series(path):
        return read_series_geometry(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(_existing(path)))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    check_kind(path, reader.GetSize(), reader.GetNumberOfComponents())
    return header_geometry(path, reader)


def read_volume(path: Path) -> Volume:
    """Read an image as it is stored: voxels (Z, Y, X) in their own type and unit.

    Args:
        path: a file with one of ``IMAGE_SUFFIXES``, a folder with one DICOM series, or a series of a folder as
            :func:`list_images` names it. A 4-D image with one volume is taken as that volume. What is not finite
            comes as NaN.
    Raises:
        UdeansrError: if it cannot be read, is not one 3-D scalar image, or its axes are not orthonormal.
    """
    if path.is_file() and image_suffix(path).startswith(".nii"):
        check_whole(path)
    try:
        if is_series(path):
            return read_series(path)
        image = sitk.ReadImage(str(_existing(path)))
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    check_kind(path, image.GetSize(), image.GetNumberOfComponentsPerPixel())
    geometry = header_geometry(path, image)
    voxels = sitk.GetArrayFromImage(image).reshape(geometry.shape)
    if image_suffix(path) in (".nii", ".nii.gz") and np.issubdtype(voxels.dtype, np.floating):
        # ITK's reader turns NaN and infinity into 0; whoever reads shall know that they were there.
        stored = np.asanyarray(nibabel.Nifti1Image.from_filename(path).dataobj)
        voxels[~np.isfinite(stored.T.reshape(geometry.shape))] = np.nan
    return Volume(voxels, geometry)


def write_volume(volume: Volume, path: Path) -> None:
    """Write a volume, whole or not at all; the suffix chooses the format, the folder is made.

    Args:
        volume: voxels in any integer or float type that the format holds; half precision is written as float32.
        path: a name with one of ``IMAGE_SUFFIXES``; an existing file is replaced.
    Raises:
        UdeansrError: if the suffix is none of ours or the file cannot be written.
    """
    suffix = image_suffix(path)
    if not suffix:
        raise UdeansrError(f"{path}: not a format that we write; expected one of {', '.join(IMAGE_SUFFIXES)}")
    voxels = volume.voxels
    if voxels.dtype in (np.dtype(bool), np.dtype(np.float16)):
        voxels = voxels.astype(np.uint8 if voxels.dtype == bool else np.float32)
    try:
        with whole_file(path) as partial:
            if suffix.startswith(".nii"):
                write_nifti(Volume(voxels, volume.geometry), partial)
            else:
                sitk.WriteImage(sitk_image(voxels, volume.geometry), str(partial), useCompression=True)
    except RuntimeError as error:
        raise UdeansrError(f"{path}: cannot be written ({_reason(error)}); {CHECK_DISK}") from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UdeansrError(f"{path}: no such file; expected {_FORMATS}")
    return _of_our_formats(path)


def _of_our_formats(path: Path) -> Path:
    if not image_suffix(path):
        if is_dicom(path):
            raise UdeansrError(f"{path}: one file of a DICOM series; give its folder: {path.parent}")
        raise UdeansrError(f"{path}: not a format that we read; expected {_FORMATS}")
    return path


def _unreadable(path: Path, error: Exception) -> UdeansrError:
    if "orthonormal" in str(error):  # the NIfTI reader's own check, before ours
        return UdeansrError(f"{path}: its axes are not at right angles; {STRAIGHTEN}")
    return UdeansrError(f"{path}: cannot be read ({_reason(error)}); replace the file or take it out")


def _reason(error: Exception) -> str:
    """The last line of a library's message, where the reason stands, without the place in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = lines[-1] if lines else type(error).__name__
    return last.split("ERROR: ", 1)[-1].split("): ", 1)[-1].rstrip(".")
