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
from udeansr.prediction.choice import Wish, wished_model
from udeansr.prediction.super_resolver import SuperResolver
from udeansr.training.precision import choose_device, choose_precision
from udeansr.training.settings import PRECISIONS

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
    stride: int = 1,
    as_float: bool = False,
    mode: str = "new",
) -> Outcome:
    """Super-resolve an image, or all images of a folder, into a folder; names are kept.

    Each SR file is written whole or not at all. An image that cannot be predicted is logged in one line and does not
    stop the others.

    Args:
        lr: an image, a folder with a DICOM series, or a folder of images.
        sr_folder: made where it is not there; another folder than the images lie in.
        wish: which model.
        device: ``auto``, ``cpu``, ``cuda``, ...
        precision: ``auto``, ``bf16``, ``fp16`` or ``fp32``.
        stride: LR slices from one slab to the next, 1 (best) to those that a slab answers for (fastest).
        as_float: whether SR of integer LR is written as float32.
        mode: with SR files that are there already: "new" refuses, "continue" keeps them, "overwrite" replaces them.
    Raises:
        UdeansrError: before anything is written: no image, no model, an output that must not be.
    """
    if precision not in PRECISIONS:
        raise UdeansrError(f"precision '{precision}' is none; expected {', '.join(PRECISIONS)}")
    where = choose_device(device)
    number_format = choose_precision(precision, where)
    targets = _targets(lr, sr_folder)
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
    resolver = replace(resolver, precision=number_format, stride=stride, as_float=as_float)
    done, failed = [], []
    with logging_redirect_tqdm(), tqdm(total=len(todo), desc="files", unit="file") as bar:
        for image, target in todo.items():
            try:
                _predict_file(resolver, image, target)
                done.append(target)
            except (UdeansrError, MemoryError) as error:
                reason = str(error) or "out of memory"
                _logger.error("%s", reason if reason.startswith(str(image)) else f"{image}: {reason}")
                failed.append(image)
            bar.update()
    return Outcome(tuple(done), skipped, tuple(failed))


def _predict_file(resolver: SuperResolver, image: Path, target: Path) -> None:
    """One image, with a bar over its slabs."""
    volume = read_volume(image)
    with tqdm(desc=case_name(image), unit="slab", leave=False, delay=0.5) as bar:
        sr = resolver(volume, progress=_advance(bar), name=case_name(image))
    write_volume(sr, target)


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
