"""Which elements of a source series are true of a series derived from it. Knows tags; computes nothing."""

from __future__ import annotations

from copy import deepcopy

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from udeansr.image.dicom_header import values

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
