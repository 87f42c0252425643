"""A DICOM series to a volume, and which elements of its headers a derived series keeps."""

from __future__ import annotations

import logging
from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from udeansr.errors import UdeansrError
from udeansr.image.dicom import Series, series_at
from udeansr.image.dicom_header import Slice, values
from udeansr.image.volume import Geometry, Volume, triple

UNEVEN = 0.02
"""How far, as a part of it, the distance of two slices may lie from the median."""
SKEW = 1e-3
"""How far axes may be off right angles and slices off the line of their normal; a tenth of it is warned of."""

_logger = logging.getLogger(__name__)


def read_series(path: Path) -> Volume:
    """Read one series: voxels (Z, Y, X), Z along the normal of its slices, each with its own rescaling.

    Args:
        path: a folder with one series, or a series of a folder, as :func:`udeansr.image.dicom.series_at` takes it.
    Returns: the stored integers where every rescale slope and intercept is whole, else float32.
    Raises:
        UdeansrError: if there is not one series, it is not one volume on an even straight grid, or cannot be decoded.
    """
    series = series_at(path)
    geometry = series_geometry(series, path)
    first = series.slices[0]
    planes = _frames(series, path) if first.frame is not None else [_plane(each) for each in series.slices]
    if any(plane.shape != first.shape for plane in planes):
        found = f"slices of {planes[0].shape} values"
        raise UdeansrError(f"{path}: {found}; expected {first.shape}, one a voxel; give magnitude images")
    whole = all(np.issubdtype(plane.dtype, np.integer) for plane in planes)
    dtype = np.result_type(*{plane.dtype for plane in planes}) if whole else np.float32
    return Volume(np.stack([plane.astype(dtype, copy=False) for plane in planes]), geometry)


def read_series_geometry(path: Path) -> Geometry:
    """Where the voxels of a series lie, from its headers alone.

    Raises:
        UdeansrError: as :func:`read_series`, but for what only the voxels can tell.
    """
    return series_geometry(series_at(path), path)


def series_geometry(series: Series, path: Path) -> Geometry:
    """The grid of a series.

    Args:
        series: its slices in the order of their normal.
        path: what messages name.
    Raises:
        UdeansrError: if the slices are not of one size, do not say where they lie, or are not evenly stacked along
            their normal.
    """
    slices = series.slices
    first = slices[0]
    if len({(each.shape, each.spacing_mm) for each in slices}) > 1:
        raise UdeansrError(f"{path}: its slices have several sizes or spacings; expected one; export the series again")
    if first.spacing_mm is None or not all(np.isfinite(mm) and mm > 0 for mm in first.spacing_mm):
        raise UdeansrError(f"{path}: its pixel spacing is {first.spacing_mm}; expected two lengths; export it again")
    if len(slices) < 2:
        raise UdeansrError(f"{path}: a series of 1 slice; expected 3-D; give whole volumes, not slices")
    axes, positions_mm = _axes(slices, path), _positions_mm(slices, path)
    steps_mm = np.diff(positions_mm, axis=0)
    gaps_mm = np.linalg.norm(steps_mm, axis=1)
    if gaps_mm.max() - gaps_mm.min() > UNEVEN * np.median(gaps_mm):
        raise UdeansrError(
            f"{path}: its slices lie {gaps_mm.min():.3g} to {gaps_mm.max():.3g} mm apart; expected one distance; "
            "a slice may be missing or given twice: export the series again"
        )
    way_mm = positions_mm[-1] - positions_mm[0]
    length_mm = float(axes[0] @ way_mm)
    skew = float(np.linalg.norm(way_mm - length_mm * axes[0])) / max(length_mm, 1e-9)
    _check_skew(skew, f"{path}: its slices are sheared by {skew:.2g}, as of a tilted gantry")
    z, y, x = len(slices), *first.shape
    return Geometry(
        shape=(z, y, x),
        spacing_mm=triple(round(mm, 6) for mm in (length_mm / (z - 1), *first.spacing_mm)),
        origin_mm=triple(float(mm) for mm in positions_mm[0]),
        axes=triple(triple(float(c) for c in axis) for axis in axes),
    )


def _axes(slices: tuple[Slice, ...], path: Path) -> np.ndarray:
    """(3, 3): the unit vectors of Z, Y and X; those of all slices must agree."""
    given = [(each.along_x, each.along_y) for each in slices if each.along_x and each.along_y]
    if len(given) < len(slices):
        raise UdeansrError(f"{path}: {_unsaid(len(slices) - len(given), slices)} Image Orientation; export it again")
    every = np.asarray(given)
    if float(np.ptp(every, axis=0).max()) > SKEW:
        raise UdeansrError(f"{path}: its slices are not parallel; expected one stack; give a volume, no localizer")
    along_x, along_y = every[0]
    skew = max(abs(float(along_x @ along_y)), *(abs(float(np.linalg.norm(axis)) - 1) for axis in every[0]))
    _check_skew(skew, f"{path}: its axes are {skew:.2g} off right angles")
    along_x = along_x / np.linalg.norm(along_x)
    along_z = np.cross(along_x, along_y)
    along_z /= np.linalg.norm(along_z)
    return np.stack([along_z, np.cross(along_z, along_x), along_x])


def _positions_mm(slices: tuple[Slice, ...], path: Path) -> np.ndarray:
    given = [each.position_mm for each in slices if each.position_mm and np.isfinite(each.position_mm).all()]
    if len(given) < len(slices):
        raise UdeansrError(f"{path}: {_unsaid(len(slices) - len(given), slices)} Image Position; export it again")
    return np.asarray(given)


def _unsaid(count: int, slices: tuple[Slice, ...]) -> str:
    return f"{count} of {len(slices)} slices do not say where they lie; expected"


def _check_skew(skew: float, found: str) -> None:
    if not skew < SKEW:
        raise UdeansrError(f"{found}; expected a straight grid; resample it onto straight axes")
    if skew > SKEW / 10:
        _logger.warning("%s; taken as straight", found)


def _plane(one: Slice) -> np.ndarray:
    """A slice in a file of its own, rescaled: integers where slope and intercept are whole."""
    return np.squeeze(sitk.GetArrayFromImage(sitk.ReadImage(str(one.file))))


def _frames(series: Series, path: Path) -> list[np.ndarray]:
    """The frames of a multi-frame file, rescaled, each by its own slope: SimpleITK would take the first for all."""
    file, *others = series.files
    if others:
        raise UdeansrError(f"{path}: {1 + len(others)} multi-frame files in one series; expected one; take one of them")
    try:
        stored = pydicom.dcmread(file).pixel_array
    except (RuntimeError, AttributeError, NotImplementedError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UdeansrError(
            f"{path}: its frames cannot be decoded ({reason}); export the series uncompressed, or a file a slice"
        ) from error
    frames = []
    for each in series.slices:
        assert each.frame is not None
        plane = stored[each.frame] if stored.ndim > 2 else stored
        if each.slope != 1 or each.intercept != 0:
            whole = each.slope.is_integer() and each.intercept.is_integer()
            plane = plane * (np.int32(each.slope) if whole else each.slope)
            plane = plane + (np.int32(each.intercept) if whole else each.intercept)
        frames.append(plane)
    return frames


WHOLE_GROUPS = (0x0010, 0x0012)
"""The patient; the clinical trial, and how the files were de-identified."""

STUDY = """SpecificCharacterSet TimezoneOffsetFromUTC StudyInstanceUID StudyDate StudyTime StudyID StudyDescription
AccessionNumber IssuerOfAccessionNumberSequence ReferringPhysicianName ConsultingPhysicianName PhysiciansOfRecord
NameOfPhysiciansReadingStudy ProcedureCodeSequence ReferencedStudySequence AdmittingDiagnosesDescription
FrameOfReferenceUID PositionReferenceIndicator Laterality BodyPartExamined AnatomicRegionSequence PatientPosition
PerformingPhysicianName OperatorsName RequestAttributesSequence"""

EQUIPMENT = """Manufacturer ManufacturerModelName DeviceSerialNumber StationName InstitutionName InstitutionAddress
InstitutionalDepartmentName ContributingEquipmentSequence"""

ACQUISITION = """AcquisitionDate AcquisitionTime AcquisitionNumber ProtocolName ScanningSequence SequenceVariant
ScanOptions MRAcquisitionType SequenceName AngioFlag RepetitionTime EchoTime EchoNumbers EchoTrainLength InversionTime
FlipAngle NumberOfAverages ImagingFrequency ImagedNucleus MagneticFieldStrength PixelBandwidth ReceiveCoilName
TransmitCoilName InPlanePhaseEncodingDirection VariableFlipAngleFlag SAR dBdt ContrastBolusAgent
ContrastBolusAgentSequence ContrastBolusRoute ContrastBolusVolume TriggerTime"""

PRESENTATION = """WindowCenter WindowWidth BurnedInAnnotation RecognizableVisualFeatures PresentationLUTShape
LongitudinalTemporalInformationModified LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod"""
"""A loss of compression is in what is computed from it as well, so its mark stays."""

REQUIRED_EMPTY = """PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber
ReferringPhysicianName PositionReferenceIndicator Manufacturer PatientPosition ScanOptions MRAcquisitionType
RepetitionTime EchoTime EchoTrainLength"""
"""Elements that the MR Image IOD asks for even where nothing is known (type 2)."""

UNKNOWN = {"ScanningSequence": "RM", "SequenceVariant": "NONE"}
"""Terms of the standard for what must have a value (type 1) and is not known: a research mode, no variant."""

_KEYWORDS = frozenset(f"{STUDY} {EQUIPMENT} {ACQUISITION} {PRESENTATION}".split())
_NAMES_IN_GROUPS = {"EchoTime": "EffectiveEchoTime"}
"""What multi-frame files call it, in their groups for all frames."""


def kept(sources: list[Dataset]) -> Dataset:
    """The elements to take over: those listed here that all files of the source give with one value.

    Args:
        sources: the headers of all files of a series, at least one.
    Returns: patient, study, equipment, acquisition and presentation; what the standard requires and the source lacks
        is there, empty.
    """
    first, *others = sources
    found = Dataset()
    for element in first:
        wanted = element.keyword in _KEYWORDS or element.tag.group in WHOLE_GROUPS
        if wanted and not element.tag.is_private and all(_same(element, other) for other in others):
            found.add(deepcopy(element))
    _add_shared(found, first)
    for keyword in REQUIRED_EMPTY.split():
        if keyword not in found:
            setattr(found, keyword, None)
    for keyword, value in UNKNOWN.items():
        if not values(found, keyword):
            setattr(found, keyword, value)
    found.remove_private_tags()  # those within sequences
    return found


def _same(element: DataElement, other: Dataset) -> bool:
    return element.tag in other and other[element.tag].value == element.value


def _add_shared(found: Dataset, source: Dataset) -> None:
    """What a multi-frame file says of the acquisition in the groups shared by all its frames."""
    for group in source.get("SharedFunctionalGroupsSequence") or []:
        for element in group:
            for item in element.value if element.VR == "SQ" else ():
                for keyword in ACQUISITION.split():
                    value = item.get(_NAMES_IN_GROUPS.get(keyword, keyword))
                    if value is not None and keyword not in found:
                        setattr(found, keyword, value)
