"""Writing a super-resolved volume as a DICOM series that is derived from the series of its LR.

What is taken over is listed; all else of the source, private tags above all, is left behind: it may not be true of SR.
Source: DICOM PS3.3, MR Image IOD (A.4), Derivation Image Macro (C.7.6.1.1.3), Contributing Equipment (C.12.1.1.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

import udeansr
from udeansr.errors import UdeansrError
from udeansr.files import whole_folder
from udeansr.image.dicom import series_at
from udeansr.image.dicom_header import MR_CLASSES, Slice, values
from udeansr.image.dicom_volume import kept, series_geometry
from udeansr.image.volume import Geometry, Volume

LONGEST_DESCRIPTION = 64
LARGEST = 65535
SERIES_STEP = 1000
"""Added to the source's Series Number."""


@dataclass(frozen=True)
class Derivation:
    """What is said of a derived series.

    Attributes:
        text: how it was made: scale, model, version.
        mark: what is set behind the source's Series Description.
        number_step: added to the source's Series Number; another for each series derived of one source.
        comment: how far to trust it; Image Comments, which viewers show.
    """

    text: str
    mark: str = "SR"
    number_step: int = SERIES_STEP
    comment: str = ""


@dataclass(frozen=True)
class Rescale:
    """How values become unsigned 16-bit integers: value = slope * stored + intercept."""

    slope: float
    intercept: float


def write_series(sr: Volume, source: Path, folder: Path, derivation: Derivation) -> None:
    """Write a volume as a series derived from another, a file a slice, all of them or none.

    Patient, study and frame of reference are the source's; series and instances get new UIDs each time. The source is
    not touched. Integers that fit 16 bits are stored exactly; others to 1/131070 of their range.

    Args:
        sr: what to write, any geometry; Z runs from slice to slice.
        source: the LR series, as :func:`udeansr.image.dicom.series_at` takes it.
        folder: made; a series that was written there by an earlier call is replaced.
        derivation: what to say of it.
    Raises:
        UdeansrError: if the source is no DICOM series of magnetic resonance, the folder holds something else, or
            cannot be written.
    """
    if source.is_file():
        raise UdeansrError(f"{source}: no DICOM; expected a DICOM series to derive one from; leave out --dicom")
    series = series_at(source)
    if series.storage_class not in MR_CLASSES:
        raise UdeansrError(
            f"{source}: a series of {series.modality or 'unknown modality'}, storage class "
            f"'{series.storage_class}'; expected an MR image series to derive one from; leave out --dicom"
        )
    _check_own(folder)
    headers = {file: pydicom.dcmread(file, stop_before_pixels=True) for file in series.files}
    same = _series_dataset(list(headers.values()), series_geometry(series, source), sr, derivation)
    with whole_folder(folder) as partial:
        _write_slices(sr, same, [(each, headers[each.file]) for each in series.slices], partial)


def rescale_for(voxels: np.ndarray) -> Rescale:
    """The rescaling that keeps integers of a range of 16 bits as they are, and else spends all 16 bits.

    The slope is one that DICOM's 16 characters hold, so that reader and writer mean the same number.
    """
    low, high = float(voxels.min()), float(voxels.max())
    base = float(np.floor(min(low, 0.0)))
    if voxels.dtype.kind in "iu" and high - base <= LARGEST:
        return Rescale(1.0, base)
    slope = float(format_number_as_ds((high - base) / LARGEST * (1 + 1e-9) or 1.0))
    return Rescale(slope, base)


def _series_dataset(sources: list[Dataset], lr: Geometry, sr: Volume, derivation: Derivation) -> Dataset:
    """What is the same in all files of the new series."""
    first, now = sources[0], datetime.now()
    whole = kept(sources)
    whole.SOPClassUID = MRImageStorage
    whole.Modality = "MR"
    whole.SeriesInstanceUID = generate_uid()
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if not values(whole, keyword):
            setattr(whole, keyword, generate_uid())
    whole.SeriesNumber = min(int((values(first, "SeriesNumber") or [0])[0]) + derivation.number_step, 2**31 - 1)
    longest = LONGEST_DESCRIPTION - len(derivation.mark) - 1
    whole.SeriesDescription = f"{str(first.get('SeriesDescription') or '')[:longest]} {derivation.mark}".strip()
    for keyword in ("SeriesDate", "ContentDate", "InstanceCreationDate"):
        setattr(whole, keyword, now.strftime("%Y%m%d"))
    for keyword in ("SeriesTime", "ContentTime", "InstanceCreationTime"):
        setattr(whole, keyword, now.strftime("%H%M%S"))
    types = {tuple(values(source, "ImageType"))[2:] for source in sources}
    whole.ImageType = ["DERIVED", "SECONDARY", *(types.pop() if len(types) == 1 else ())]
    whole.DerivationDescription = derivation.text[:1024]
    if derivation.comment:
        whole.ImageComments = derivation.comment[:10240]
    whole.DerivationCodeSequence = Sequence([_code("113085", "Spatial resampling")])
    versions = [str(version) for version in values(first, "SoftwareVersions")]
    whole.SoftwareVersions = [*versions, f"udeansr {udeansr.__version__}"]
    whole.ContributingEquipmentSequence = Sequence([*values(whole, "ContributingEquipmentSequence"), _processor(now)])
    thickness_mm = float((values(first, "SliceThickness") or [lr.spacing_mm[0]])[0])
    _set_geometry(whole, sr.geometry, thickness_mm * sr.geometry.spacing_mm[0] / lr.spacing_mm[0])
    _set_pixels(whole, sr.voxels)
    return whole


def _processor(now: datetime) -> Dataset:
    """The program among the equipment that contributed; the scanner stays the series' equipment."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence([_code("109102", "Processing Equipment")])
    item.Manufacturer = "udeansr"
    item.ManufacturerModelName = "udeansr"
    item.SoftwareVersions = udeansr.__version__
    item.ContributionDateTime = now.strftime("%Y%m%d%H%M%S")
    item.ContributionDescription = "Super-resolution by a computer; not acquired at this resolution"
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _set_geometry(whole: Dataset, geometry: Geometry, thickness_mm: float) -> None:
    """What all slices share of the grid; their thickness has shrunk as their distance has."""
    _, whole.Rows, whole.Columns = geometry.shape
    distance_mm, row_mm, column_mm = geometry.spacing_mm
    whole.PixelSpacing = [_ds(row_mm), _ds(column_mm)]
    whole.SpacingBetweenSlices = _ds(distance_mm)
    whole.SliceThickness = _ds(thickness_mm)
    whole.ImageOrientationPatient = [_ds(c) for c in (*geometry.axes[2], *geometry.axes[1])]


def _set_pixels(whole: Dataset, voxels: np.ndarray) -> None:
    whole.SamplesPerPixel = 1
    whole.PhotometricInterpretation = "MONOCHROME2"
    whole.BitsAllocated = whole.BitsStored = 16
    whole.HighBit = 15
    whole.PixelRepresentation = 0
    rescale = rescale_for(voxels)
    whole.RescaleSlope, whole.RescaleIntercept = _ds(rescale.slope), _ds(rescale.intercept)
    whole.RescaleType = "US"
    if "WindowCenter" not in whole or "WindowWidth" not in whole:
        low, high = (float(level) for level in np.percentile(voxels, (1, 99.5)))
        whole.WindowCenter, whole.WindowWidth = _ds((low + high) / 2), _ds(max(high - low, 1.0))


def _write_slices(sr: Volume, same: Dataset, sources: list[tuple[Slice, Dataset]], folder: Path) -> None:
    heights_mm = _heights_mm([each for each, _ in sources], sr.geometry)
    rescale = Rescale(float(same.RescaleSlope), float(same.RescaleIntercept))
    for number, plane in enumerate(sr.voxels):
        position_mm = sr.geometry.world_mm((number, 0, 0))
        height_mm = float(np.asarray(sr.geometry.axes[0]) @ position_mm)
        one = Dataset()
        one.update(same)
        one.SOPInstanceUID = generate_uid()
        one.InstanceNumber = number + 1
        one.ImagePositionPatient = [_ds(float(mm)) for mm in position_mm]
        one.SliceLocation = _ds(height_mm)
        _refer(one, *sources[int(np.abs(heights_mm - height_mm).argmin())])
        stored = np.rint((plane.astype(np.float64) - rescale.intercept) / rescale.slope)
        one.PixelData = np.clip(stored, 0, LARGEST).astype("<u2").tobytes()
        one["PixelData"].VR = "OW"
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.save_as(folder / f"{number + 1:04d}.dcm", enforce_file_format=True)


def _heights_mm(slices: list[Slice], geometry: Geometry) -> np.ndarray:
    """How far along the slice axis the source's slices lie, as SR's do."""
    positions = np.asarray([each.position_mm for each in slices], dtype=np.float64)
    return positions @ np.asarray(geometry.axes[0])


def _refer(one: Dataset, nearest: Slice, header: Dataset) -> None:
    """Name the source slice in which a slice lies; nothing where it has no UID to name it by."""
    if "SOPInstanceUID" not in header or "SOPClassUID" not in header:
        return
    item, instance, series = Dataset(), Dataset(), Dataset()
    for each in (item, instance):
        each.ReferencedSOPClassUID = header.SOPClassUID
        each.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if nearest.frame is not None:
        item.ReferencedFrameNumber = nearest.frame + 1
    item.PurposeOfReferenceCodeSequence = Sequence([_code("121322", "Source image for image processing operation")])
    one.SourceImageSequence = Sequence([item])
    if "SeriesInstanceUID" in header:
        series.SeriesInstanceUID = header.SeriesInstanceUID
        series.ReferencedInstanceSequence = Sequence([instance])
        one.ReferencedSeriesSequence = Sequence([series])


def _check_own(folder: Path) -> None:
    """Refuse to replace what this file did not write."""
    if not folder.exists():
        return
    others = ["it"] if not folder.is_dir() else [child.name for child in folder.iterdir() if not _is_own(child)]
    if others:
        raise UdeansrError(f"{folder}: holds {others[0]}, which is no slice that we wrote; choose another output")


def _is_own(file: Path) -> bool:
    return file.suffix == ".dcm" and file.stem.isdigit()


def _ds(number: float) -> str:
    """A decimal string of DICOM, in the 16 characters that it has."""
    return format_number_as_ds(float(number))
