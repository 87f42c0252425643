"""Bad and odd image files, made one by one; prediction and planning's reading of each, in a process with limits.

    nice python benchmarks/reliability/bad_files.py -o /tmp/bad

Each has to come to a right result (SR of twice the voxels over the same field of view) or to one line, within its
time and memory, in prediction (tricubic) as in the reading that planning does. Anything else is a FAULT: a traceback,
a hang, a dead process, several lines, a wrong header. Status 1 if there is one.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import os
import resource
import shutil
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML, UID, ExplicitVRLittleEndian, MRImageStorage

from udeansr.errors import UdeansrError
from udeansr.image.files import read_geometry, read_volume
from udeansr.image.grid import Scale, same_grid, sr_geometry
from udeansr.models.choice import ModelQuery
from udeansr.paths import Root
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict

SECONDS, BYTES = 60, 8 << 30
"""Allowed for each file, in its own process; memory is that of addresses."""

SHAPE = (7, 6, 5)
Maker = Callable[[Path], Path]
"""Makes a file, or a folder, in a folder of its own, and gives its path."""


def plain(folder: Path, name: str = "a.nii", voxels: np.ndarray | None = None, affine: object = None) -> Path:
    """A good file, as far as its voxels and affine are."""
    if voxels is None:
        voxels = np.random.default_rng(0).integers(1, 900, SHAPE).astype(np.int16)
    affine = np.diag([2.0, 2.0, 4.0, 1.0]) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(voxels, affine, dtype=voxels.dtype), folder / name)  # type: ignore[arg-type]
    return folder / name


def of_voxels(change: Callable[[np.ndarray], np.ndarray]) -> Maker:
    """A file whose voxels are changed."""
    return lambda folder: plain(folder, voxels=change(np.random.default_rng(0).integers(1, 900, SHAPE).astype("f4")))


def of_affine(*changes: tuple[int, int, float]) -> Maker:
    """A file with other numbers at places of its affine, in the qform too where that can hold them."""

    def make(folder: Path) -> Path:
        path = plain(folder)
        block = bytearray(path.read_bytes())
        block[252:256] = np.array([0, 2], np.int16).tobytes()  # the sform alone is coded
        for row, column, value in changes:
            at = 280 + 16 * row + 4 * column
            block[at : at + 4] = np.float32(value).tobytes()
        path.write_bytes(block)
        return path

    return make


def of_bytes(at: int, kind: str, *values: float, zipped: bool = False) -> Maker:
    """A file with other numbers in its header."""

    def make(folder: Path) -> Path:
        path = plain(folder)
        block, new = bytearray(path.read_bytes()), np.array(values, kind).tobytes()
        block[at : at + len(new)] = new
        path.write_bytes(block)
        if zipped:
            (folder / "a.nii.gz").write_bytes(gzip.compress(bytes(block)))
            path.unlink()
        return folder / ("a.nii.gz" if zipped else "a.nii")

    return make


def raw(name: str, content: bytes) -> Maker:
    """A file of just these bytes."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def cut(name: str, part: float) -> Maker:
    """The beginning of a good file."""

    def make(folder: Path) -> Path:
        sitk.WriteImage(sitk.GetImageFromArray(np.random.default_rng(0).integers(1, 900, SHAPE)), str(folder / name))
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(part * len(content))])
        return folder / name

    return make


def named(name: str | bytes) -> Maker:
    """A good file of an odd name."""
    return lambda folder: plain(folder).rename(folder / os.fsdecode(name))


def text_header(name: str, lines: str) -> Maker:
    """A MetaImage or NRRD header that tells of other data than there are."""
    return raw(name, lines.encode())


def special(make: Callable[[Path], object]) -> Maker:
    """What is no ordinary file."""

    def made(folder: Path) -> Path:
        path = folder / "a.nii.gz"
        make(path)
        return path

    return made


def in_itk(name: str, voxels: np.ndarray, vector: bool = False) -> Maker:
    """An image of ITK's, of any dimension."""

    def make(folder: Path) -> Path:
        sitk.WriteImage(sitk.GetImageFromArray(voxels, isVector=vector), str(folder / name))
        return folder / name

    return make


def series(change: Callable[[Dataset, int], object] = lambda _slice, _number: None, after: object = None) -> Maker:
    """A DICOM series, each slice changed (left out where that gives False), and then its folder."""

    def make(folder: Path) -> Path:
        path = folder / "scan"
        path.mkdir()
        for number, pixels in enumerate(HEAD):
            one = Dataset()
            one.file_meta = FileMetaDataset()
            one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = MRImageStorage
            one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = UID(f"1.2.3.{number + 1}")
            one.Modality, one.SeriesInstanceUID, one.StudyInstanceUID, one.InstanceNumber = "MR", "1.2", "1.1", number
            one.Rows, one.Columns, one.SamplesPerPixel, one.PhotometricInterpretation = *pixels.shape, 1, "MONOCHROME2"
            one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
            one.PixelSpacing, one.SliceThickness = [2, 2], 4
            one.ImageOrientationPatient, one.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 4 * number]
            one.PixelData = pixels.astype("<u2").tobytes()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom says what is odd
                if change(one, number) is not False:
                    one.save_as(path / f"{number}.dcm", enforce_file_format=True)
        if callable(after):
            after(path)
        return path

    return make


def coloured(one: Dataset, _: int) -> None:
    """Make a slice one of colours."""
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "RGB", 0
    one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7
    one.PixelData = bytes(range(one.Rows)) * one.Columns * 3


def compressed(one: Dataset, _: int) -> None:
    """Make a slice one of a video, which nobody reads."""
    one.file_meta.TransferSyntaxUID = MPEG2MPML
    one.PixelData = encapsulate([b"no video"])


def of_slice(place: int, **values: object) -> Maker:
    """A series of which one slice has other values; None leaves an element out."""

    def change(one: Dataset, number: int) -> None:
        for name, value in values.items() if number == place else ():
            if value is None:
                delattr(one, name)
            else:
                setattr(one, name, value)

    return series(change)


META = "ObjectType = Image\nNDims = 3\nDimSize = {size}\nElementType = {kind}\nElementDataFile = {data}\n"
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: {size}\nencoding: {encoding}\n{more}\n"
HEAD = np.random.default_rng(1).integers(1, 900, SHAPE).astype(np.int16)

CASES: dict[str, Maker] = {
    "good": plain,
    "zero bytes, .nii": raw("a.nii", b""),
    "zero bytes, .nii.gz": raw("a.nii.gz", b""),
    "zero bytes, .nrrd": raw("a.nrrd", b""),
    "zero bytes, .mha": raw("a.mha", b""),
    "text, .nii": raw("a.nii", b"no image " * 99),
    "text, .nii.gz": raw("a.nii.gz", b"no image " * 99),
    "gz of nothing": raw("a.nii.gz", gzip.compress(b"")),
    "gz of text": raw("a.nii.gz", gzip.compress(b"no image " * 99)),
    "header of 348 zeros": raw("a.nii", bytes(352)),
    **{f"{name} cut at 0.3": cut(name, 0.3) for name in ("a.nii", "a.nii.gz", "a.mha", "a.nrrd")},
    **{f"{name} cut at 0.9": cut(name, 0.9) for name in ("a.nii", "a.nii.gz", "a.mha", "a.nrrd")},
    "wrong magic": of_bytes(344, "u1", 120, 120, 120, 0),
    "magic of a pair of files": of_bytes(344, "u1", 110, 105, 49, 0),
    "sizeof_hdr 0": of_bytes(0, "i4", 0),
    "dim[0] 0": of_bytes(40, "i2", 0),
    "dim[0] 9": of_bytes(40, "i2", 9),
    "a side of 0": of_bytes(42, "i2", 0),
    "a side of -5": of_bytes(42, "i2", -5),
    "sides too long": of_bytes(42, "i2", 70, 60, 50),
    "huge sides": of_bytes(42, "i2", 32767, 32767, 32767),
    "huge sides, gz": of_bytes(42, "i2", 32767, 32767, 32767, zipped=True),
    "bitpix 64 of int16": of_bytes(72, "i2", 64),
    "bitpix 0": of_bytes(72, "i2", 0),
    "datatype unknown": of_bytes(70, "i2", 77),
    "datatype 0": of_bytes(70, "i2", 0),
    "vox_offset beyond the end": of_bytes(108, "f4", 1e6),
    "vox_offset NaN": of_bytes(108, "f4", np.nan),
    "vox_offset negative": of_bytes(108, "f4", -352),
    "pixdim 0": of_bytes(80, "f4", 0, 0, 0),
    "pixdim NaN": of_bytes(80, "f4", np.nan, np.nan, np.nan),
    "pixdim other than the sform": of_bytes(80, "f4", 9, 9, 9),
    "scl_slope 0": of_bytes(112, "f4", 0, 5),
    "scl_slope NaN": of_bytes(112, "f4", np.nan, np.nan),
    "scl_slope infinite": of_bytes(112, "f4", np.inf, 0),
    "sform NaN": of_affine((0, 0, np.nan)),
    "sform offset NaN": of_affine((1, 3, np.nan)),
    "sform infinite": of_affine((2, 2, np.inf)),
    "sform zero": of_affine((0, 0, 0), (1, 1, 0), (2, 2, 0)),
    "sheared": of_affine((0, 1, 1.0)),
    "left-handed": of_affine((0, 0, -2.0)),
    "sform coded, qform not": of_affine((0, 3, 5.0)),
    "2-D": lambda folder: plain(folder, voxels=np.ones((7, 6), np.int16)),
    "4-D of 1": lambda folder: plain(folder, voxels=HEAD[..., None]),
    "4-D of 2": lambda folder: plain(folder, voxels=np.stack([HEAD, HEAD], -1)),
    "5-D": lambda folder: plain(folder, voxels=np.ones((7, 6, 5, 1, 3), np.int16)),
    "RGB": in_itk("a.nii", np.ones((*SHAPE, 3), np.uint8), vector=True),
    "2-D .mha": in_itk("a.mha", np.ones((7, 6), np.int16)),
    "RGB .nrrd": in_itk("a.nrrd", np.ones((*SHAPE, 3), np.uint8), vector=True),
    "complex": of_voxels(lambda v: v.astype(np.complex64)),
    "complex128": of_voxels(lambda v: v.astype(np.complex128)),
    "NaN": of_voxels(lambda v: np.where(v > 500, np.nan, v)),
    "infinite": of_voxels(lambda v: np.where(v > 500, np.inf, v)),
    "all NaN": of_voxels(lambda v: v * np.nan),
    "zero": of_voxels(lambda v: 0 * v),
    "constant": of_voxels(lambda v: 0 * v + 7),
    "negative": of_voxels(lambda v: -v),
    "some negative": of_voxels(lambda v: v - 300),
    "denormal": of_voxels(lambda v: v * np.float32(1e-42)),
    "1e38": of_voxels(lambda v: v * np.float32(3e35)),
    "float64": of_voxels(lambda v: v.astype(np.float64)),
    "int64": of_voxels(lambda v: v.astype(np.int64)),
    "uint64": of_voxels(lambda v: v.astype(np.uint64)),
    "int8": of_voxels(lambda v: (v / 9).astype(np.int8)),
    "one voxel along x": lambda folder: plain(folder, voxels=HEAD[:1]),
    "one voxel along z": lambda folder: plain(folder, voxels=HEAD[..., :1]),
    "one voxel": lambda folder: plain(folder, voxels=HEAD[:1, :1, :1]),
    "a link to itself": special(lambda path: path.symlink_to(path)),
    "a link to nothing": special(lambda path: path.symlink_to("nothing.nii.gz")),
    "a folder": special(lambda path: path.mkdir()),
    "a FIFO": special(os.mkfifo),
    "no UTF-8": named(b"a\xff\xfe.nii"),
    "blanks": named("a b  c .nii"),
    "unicode": named("å-脳-🧠.nii"),
    "line break": named("a\nb.nii"),
    "% and {}": named("%s {x} %d.nii"),
    "upper case": named("A.NII"),
    "a long name": named("a" * 240 + ".nii"),
    "only a suffix": named("x..nii"),
    "MetaImage, data outside": text_header("a.mha", META.format(size="5 6 7", kind="MET_SHORT", data="../../none.raw")),
    "MetaImage, data missing": text_header("a.mha", META.format(size="5 6 7", kind="MET_SHORT", data="LOCAL")),
    "MetaImage, odd type": text_header("a.mha", META.format(size="5 6 7", kind="MET_ODD", data="LOCAL")),
    "MetaImage, huge": text_header("a.mha", META.format(size="99999 99999 99999", kind="MET_SHORT", data="LOCAL")),
    "DICOM": series(),
    "DICOM, a slice missing": series(lambda _, number: number != 3),
    "DICOM, the first slice missing": series(lambda _, number: number != 0),
    "DICOM, one slice": series(lambda _, number: number == 3),
    "DICOM, two slices in one place": of_slice(3, ImagePositionPatient=[0, 0, 8]),
    "DICOM, uneven distances": of_slice(3, ImagePositionPatient=[0, 0, 13]),
    "DICOM, a slice aside": of_slice(3, ImagePositionPatient=[5, 0, 12]),
    "DICOM, a slice turned": of_slice(3, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    "DICOM, orientation of zeros": series(lambda one, _: setattr(one, "ImageOrientationPatient", [0] * 6)),
    "DICOM, no position": of_slice(3, ImagePositionPatient=None),
    "DICOM, position NaN": of_slice(3, ImagePositionPatient=["0", "0", "nan"]),
    "DICOM, no pixel spacing": series(lambda one, _: delattr(one, "PixelSpacing")),
    "DICOM, pixel spacing 0": series(lambda one, _: setattr(one, "PixelSpacing", [0, 0])),
    "DICOM, no pixels": of_slice(3, PixelData=None),
    "DICOM, too few pixels": of_slice(3, PixelData=b"12"),
    "DICOM, a slice of other size": of_slice(3, Rows=5),
    "DICOM, 9 bits allocated": series(lambda one, _: setattr(one, "BitsAllocated", 9)),
    "DICOM, colours": series(coloured),
    "DICOM, three samples of one": series(lambda one, _: setattr(one, "SamplesPerPixel", 3)),
    "DICOM, a codec that is none": series(compressed),
    "DICOM, a file cut": series(after=lambda path: os.truncate(path / "3.dcm", 400)),
    "DICOM, a file of zero bytes": series(after=lambda path: os.truncate(path / "3.dcm", 0)),
    "DICOM, a text beside": series(after=lambda path: (path / "README").write_text("no image")),
    "DICOM, a name that is no UTF-8": series(
        after=lambda path: (path / "3.dcm").rename(path / os.fsdecode(b"\xff.dcm"))
    ),
    "NRRD, data outside": text_header("a.nrrd", NRRD.format(size="5 6 7", encoding="raw", more="data file: /etc/none")),
    "NRRD, data missing": text_header("a.nrrd", NRRD.format(size="5 6 7", encoding="raw", more="")),
    "NRRD, odd encoding": text_header("a.nrrd", NRRD.format(size="5 6 7", encoding="odd", more="")),
    "NRRD, huge": text_header("a.nrrd", NRRD.format(size="99999 99999 99999", encoding="raw", more="")),
}  # fmt: skip
"""What is tried, by what is odd about it."""


def outcome(path: Path, sr: Path) -> str:
    """What comes of a file: "right", or the one line; raises what is neither."""
    said, volume = [], None
    try:
        geometry = read_geometry(path)
        volume = read_volume(path)
        if not same_grid(geometry, volume.geometry):
            raise AssertionError(f"the header says {geometry}, the image {volume.geometry}")
    except UdeansrError as error:
        said.append(str(error))
    lines: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    query = ModelQuery(Root(sr, "--results"), method="tricubic", scale=Scale(2, 2, 2))
    try:
        done = predict(path, sr, query, Options(device="cpu", json=True)).done
    except UdeansrError as error:
        done, lines = (), [str(error)]
    said += lines
    if any("\n" in line or "0x" in line for line in said) or (not done and len(lines) != 1):
        raise AssertionError(f"not one line: {said}")
    if done and said:
        raise AssertionError(f"predicted, and refused: {said}")
    if not done or volume is None:
        return lines[0]
    made, expected = read_geometry(done[0]), sr_geometry(volume.geometry, Scale(2, 2, 2))
    if not same_grid(made, expected):
        raise AssertionError(f"SR lies on {made}, not {expected}")
    return "right"


def tried(make: Maker, folder: Path, seconds: int = SECONDS) -> str:
    """The same in a process of its own, with limits; what is neither right nor one line begins with FAULT."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "lr").mkdir(parents=True)
    path, told = make(folder / "lr"), folder / "told.txt"
    process = os.fork()
    if not process:
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        os.dup2(os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT), 2)
        try:
            told.write_text(outcome(path, folder / "sr"), encoding="utf-8")
        except BaseException as error:
            told.write_text(f"FAULT {type(error).__name__}: {error}", encoding="utf-8", errors="backslashreplace")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return told.read_text(encoding="utf-8") if not status else f"FAULT: status {status} (hung, or the process died)"


def main() -> None:
    """Try all, print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to work in")
    output = parser.parse_args().output.resolve()
    import torch

    torch.set_num_threads(1)
    kinds: Counter[str] = Counter()
    for number, (name, make) in enumerate(CASES.items()):
        came = tried(make, output / f"{number:02d}")
        kinds["FAULT" if came.startswith("FAULT") else "right" if came == "right" else "one line"] += 1
        print(f"{name}: {came.replace(f'{output}/', '')}", flush=True)
    print(f"{len(CASES)} files: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}")
    sys.exit(int(kinds["FAULT"] > 0))


if __name__ == "__main__":
    main()
