"""A folder of LR to a folder of SR, file by file. Knows files and what goes wrong with them; knows no network."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from udeansr.errors import UdeansrError
from udeansr.image.files import case_name, image_suffix, list_images, read_volume, write_volume
from udeansr.image.volume import Volume
from udeansr.prediction.choice import Wish, wished_model
from udeansr.prediction.overlap import overlapped
from udeansr.prediction.room import Room
from udeansr.prediction.super_resolver import Prediction
from udeansr.training.precision import choose_device, choose_precision
from udeansr.training.settings import PRECISIONS

LARGE_BYTES = 256_000_000
"""Of an SR volume: it is written before the next is made, so that two such never take memory at once."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of the images.

    Attributes:
        done: SR files written.
        skipped: SR files that were there already (``mode="continue"``).
        failed: images that could not be predicted; the reasons were logged.
    """

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: tuple[Path, ...]

    def __str__(self) -> str:
        """One line that tells it all."""
        total = len(self.done) + len(self.skipped) + len(self.failed)
        words = [f"{len(self.done)} of {total} done"]
        if self.skipped:
            words.append(f"{len(self.skipped)} were there already")
        if self.failed:
            words.append(f"{len(self.failed)} failed: {', '.join(path.name for path in self.failed)}")
        return ", ".join(words)


def predict(
    lr: Path,
    sr_folder: Path,
    wish: Wish,
    *,
    device: str = "auto",
    precision: str = "auto",
    quality: str = "fast",
    stride: int | None = None,
    as_float: bool = False,
    uncertainty: bool = False,
    memory_gb: float | None = None,
    mode: str = "new",
) -> Outcome:
    """Super-resolve an image, or all images of a folder, into a folder; names are kept.

    Each SR file is written whole or not at all. An image that cannot be predicted is logged in one line and does not
    stop the others. While one image is predicted, the next is read and the last is written.

    Args:
        lr: an image, a folder with a DICOM series, or a folder of images.
        sr_folder: made where it is not there; another folder than the images lie in.
        wish: which model.
        device: ``auto``, ``cpu``, ``cuda``, ...
        precision: ``auto``, ``bf16``, ``fp16`` or ``fp32``.
        quality: "fast", "balanced" or "best"; see :func:`udeansr.prediction.quality.work_of`.
        stride: LR slices from one slab to the next, in the place of the quality's own.
        as_float: whether SR of integer LR is written as float32.
        uncertainty: whether a map of it is written beside each SR, as ``<name>_uncertainty``.
        memory_gb: of a volume that is made; what takes more lies in a file of ``sr_folder`` meanwhile. None: a quarter
            of the memory that is free.
        mode: with SR files that are there already: "new" refuses, "continue" keeps them, "overwrite" replaces them.
    Raises:
        UdeansrError: before anything is written: no image, no model, an output that must not be.
    """
    if precision not in PRECISIONS:
        raise UdeansrError(f"precision '{precision}' is none; expected {', '.join(PRECISIONS)}")
    where = choose_device(device)
    number_format = choose_precision(precision, where)
    room = Room(sr_folder, memory_gb, volumes=2 if uncertainty else 1)
    targets = _targets(lr, sr_folder)
    if uncertainty:
        _check_maps(targets)
    there = [target for target in targets.values() if target.exists()]
    if there and mode == "new":
        raise UdeansrError(
            f"{sr_folder}: {len(there)} of {len(targets)} SR files are there already, first {there[0].name}; keep them "
            "and make the others with --continue, replace them with --overwrite, or choose another folder"
        )
    skipped = tuple(there) if mode == "continue" else ()
    todo = {image: target for image, target in targets.items() if target not in skipped}
    if not todo:
        return Outcome((), skipped, ())
    resolver = wished_model(wish, list(targets), where)
    resolver = replace(
        resolver, precision=number_format, quality=quality, stride=stride, as_float=as_float, uncertainty=uncertainty
    )
    if uncertainty and resolver.calibration is None:
        _logger.warning("the model is not calibrated: the map is the spread of its answers, less than the error")

    def work(image: Path, volume: Volume) -> Prediction:
        with tqdm(desc=case_name(image), unit="slab", leave=False, delay=0.5) as bar:
            return resolver.predict(volume, progress=_advance(bar), name=case_name(image), allocate=room.allocate)

    def write(image: Path, made: Prediction) -> None:
        if made.uncertainty is not None:
            write_volume(made.uncertainty, _map(todo[image]))
        write_volume(made.sr, todo[image])  # last: where it is, all is

    done, failed = [], []
    with logging_redirect_tqdm(), tqdm(total=len(todo), desc="files", unit="file") as bar:
        for image, error in overlapped(list(todo), read_volume, work, write, _is_large):
            if error is None:
                done.append(todo[image])
            elif isinstance(error, UdeansrError | MemoryError):
                reason = str(error) or "out of memory"
                _logger.error("%s", reason if reason.startswith(str(image)) else f"{image}: {reason}")
                failed.append(image)
            else:
                raise error
            bar.update()
    return Outcome(tuple(done), skipped, tuple(failed))


def _is_large(made: Prediction) -> bool:
    return made.sr.voxels.nbytes > LARGE_BYTES


def _map(target: Path) -> Path:
    """Where the uncertainty of an SR file goes."""
    return target.with_name(f"{case_name(target)}_uncertainty{image_suffix(target)}")


def _check_maps(targets: dict[Path, Path]) -> None:
    """Refuse an image that has the name of another's map."""
    sources = {target: image for image, target in targets.items()}
    for image, target in targets.items():
        if _map(target) in sources:
            raise UdeansrError(
                f"{sources[_map(target)].name} and the uncertainty of {image.name} would both become {_map(target)}; "
                "rename one, or predict them apart"
            )


def _advance(bar: tqdm) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return advance


def _targets(lr: Path, sr_folder: Path) -> dict[Path, Path]:
    """Where the SR of each image goes: its name, with its suffix; ``.nii.gz`` for a DICOM series."""
    images = list_images(lr)
    if sr_folder.exists() and not sr_folder.is_dir():
        raise UdeansrError(f"{sr_folder}: the output is a file; expected a folder; give one with -o")
    home = lr if lr.is_dir() else lr.parent
    if sr_folder.resolve() == home.resolve():
        raise UdeansrError(f"{sr_folder}: input and output are one folder; SR would replace LR; choose another with -o")
    targets = {image: sr_folder / (case_name(image) + (image_suffix(image) or ".nii.gz")) for image in images}
    sources: dict[Path, Path] = {}
    for image, target in targets.items():
        if target in sources:
            raise UdeansrError(
                f"{image.name} and {sources[target].name} would both become {target}; rename one, or predict them apart"
            )
        sources[target] = image
    return targets
