from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from udeansr.image.files import read_volume
from udeansr.image.volume import Geometry, Volume, triple

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example/Dataset001_BrainT1w/testLR/sub-10_T1w.nii.gz"


def oblique_axes() -> np.ndarray:
    """(3, 3): Z, Y, X turned about two axes, right-handed as slices of DICOM are."""
    a, b = 0.3, -0.2
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return (about_z @ about_x).T[::-1]


@pytest.fixture(scope="session")
def scan() -> Volume:
    """Real MRI, 12 slices, on an oblique grid of three spacings."""
    voxels = read_volume(EXAMPLE).voxels[4:16, 6:36, 8:32].astype(np.uint16)
    axes = triple(triple(float(c) for c in row) for row in oblique_axes())
    return Volume(
        np.ascontiguousarray(voxels), Geometry(triple(voxels.shape), (2.5, 0.9, 1.1), (-31.5, 40.25, 7.0), axes)
    )


def element_values(volume: Volume, number: int, slope: float) -> dict[str, object]:
    geometry = volume.geometry
    return {
        "Modality": "MR",
        "PatientName": "Doe^Jane",
        "PatientID": "P7",
        "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.1",
        "StudyDate": "20240131",
        "StudyDescription": "Head",
        "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.2",
        "SeriesNumber": 3,
        "SeriesDescription": "T1 MPRAGE/sag",
        "ProtocolName": "t1_mprage",
        "Manufacturer": "ACME",
        "DeviceSerialNumber": "4711",
        "SoftwareVersions": "syngo",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "RepetitionTime": 2000,
        "EchoTime": 3.5,
        "AcquisitionMatrix": [0, 24, 30, 0],
        "InstanceNumber": number + 1,
        "SliceThickness": 2.0,
        "PixelSpacing": [geometry.spacing_mm[1], geometry.spacing_mm[2]],
        "ImageOrientationPatient": [round(c, 12) for c in (*geometry.axes[2], *geometry.axes[1])],
        "ImagePositionPatient": [round(float(mm), 9) for mm in geometry.world_mm((number, 0, 0))],
        "SliceLocation": 2.5 * number,
        "WindowCenter": 400 + number,
        "WindowWidth": 800,
        "RescaleSlope": slope,
        "RescaleIntercept": 0,
    }


@pytest.fixture
def write_scan() -> Callable[..., None]:
    """Writes a volume of uint16 as a classic MR series, file by file; elements can be changed or, as None, left out."""

    def write(
        folder: Path,
        volume: Volume,
        slopes: float | list[float] = 1,
        suffix: str = ".dcm",
        uid: str | None = None,
        prefix: str = "IM",
        storage: str = MRImageStorage,
        **changed: object,
    ) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        uid = uid or generate_uid()
        order = np.random.default_rng(0).permutation(len(volume.voxels))  # names tell nothing of the places
        for name, number in enumerate(int(n) for n in order):
            slope = slopes[number] if isinstance(slopes, list) else slopes
            one = Dataset()
            for keyword, value in (element_values(volume, number, slope) | changed).items():
                if value is not None:
                    setattr(one, keyword, value)
            one.SOPClassUID, one.SOPInstanceUID, one.SeriesInstanceUID = storage, generate_uid(), uid
            block = one.private_block(0x0029, "ACME HEADER", create=True)
            block.add_new(0x10, "LO", f"private {number}")
            set_pixels(one, volume.voxels[number])
            save(one, folder / f"{prefix}{name:03d}{suffix}")
        return uid

    return write


@pytest.fixture
def write_multiframe() -> Callable[..., None]:
    """Writes a volume of uint16 as one enhanced MR file, its frames in another order than their places."""

    def write(file: Path, volume: Volume, slopes: list[float], **changed: object) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        order = [int(n) for n in np.random.default_rng(1).permutation(len(volume.voxels))]
        every = element_values(volume, 0, 1)
        inside = ("SliceThickness", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SliceLocation")
        inside += ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "EchoTime", "RepetitionTime")
        one = Dataset()
        for keyword, value in ({key: value for key, value in every.items() if key not in inside} | changed).items():
            setattr(one, keyword, value)
        one.SOPClassUID, one.SOPInstanceUID, one.SeriesInstanceUID = (
            EnhancedMRImageStorage,
            generate_uid(),
            generate_uid(),
        )
        frames = []
        for number in order:
            values = element_values(volume, number, slopes[number])
            frames.append(
                group(
                    PlanePositionSequence={"ImagePositionPatient": values["ImagePositionPatient"]},
                    PixelValueTransformationSequence={
                        "RescaleSlope": slopes[number],
                        "RescaleIntercept": 0,
                        "RescaleType": "US",
                    },
                )
            )
        shared = group(
            PixelMeasuresSequence={"PixelSpacing": every["PixelSpacing"], "SliceThickness": 2.0},
            PlaneOrientationSequence={"ImageOrientationPatient": every["ImageOrientationPatient"]},
            MREchoSequence={"EffectiveEchoTime": 3.5},
        )
        one.SharedFunctionalGroupsSequence = Sequence([shared])
        one.PerFrameFunctionalGroupsSequence = Sequence(frames)
        one.NumberOfFrames = len(frames)
        set_pixels(one, volume.voxels[order])
        save(one, file)

    return write


def group(**items: dict[str, object]) -> Dataset:
    whole = Dataset()
    for keyword, values in items.items():
        item = Dataset()
        for name, value in values.items():
            setattr(item, name, value)
        setattr(whole, keyword, Sequence([item]))
    return whole


def set_pixels(one: Dataset, voxels: np.ndarray) -> None:
    one.Rows, one.Columns = voxels.shape[-2:]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
    one.PixelData = voxels.astype("<u2").tobytes()
    one["PixelData"].VR = "OW"


def save(one: Dataset, path: Path) -> None:
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(path, one, enforce_file_format=True)
