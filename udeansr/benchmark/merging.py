"""Rows that were done in other folders, taken over into one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from udeansr.benchmark.folder import SETTINGS_FILE, BenchmarkFolder, BenchmarkSettings
from udeansr.benchmark.row_result import RowResult
from udeansr.errors import UdeansrError
from udeansr.files import whole_file, whole_folder


def merge_folders(folder: BenchmarkFolder, settings: BenchmarkSettings, others: Sequence[Path]) -> Iterator[str]:
    """Copy the rows, their SR, lengths of training and raw datasets from other folders of the same benchmark.

    What is here already stays as it is. Models and arrays are not copied.

    Args:
        folder: that takes them; made if it is not there.
        settings: of the benchmark.
        others: folders of the parts.
    Yields:
        what was taken over and what was not, in words, a line a folder and a line a conflict.
    Raises:
        UdeansrError: before anything is copied, if one of them holds no benchmark of these settings; if a row file
            cannot be read.
    """
    for other in others:
        if not (other / SETTINGS_FILE).is_file():
            raise UdeansrError(f"--merge {other}: holds no benchmark; expected a folder that udeansr_benchmark made")
        BenchmarkFolder(other).check(settings)
    folder.claim(settings)
    for other in others:
        yield from _merge(folder, BenchmarkFolder(other))


def _merge(folder: BenchmarkFolder, other: BenchmarkFolder) -> Iterator[str]:
    taken, alike = 0, 0
    for path in other.row_files():
        result = RowResult.load(path)
        names = (result.dataset, result.split, result.row.name)
        own = folder.row_file(*names)
        with folder.lock(result.dataset), folder.lock(f"{result.dataset}.{result.row.name}"):
            if own.is_file():
                if RowResult.load(own) == result:
                    alike += 1
                else:
                    yield f"{path}: differs from {own}, which is kept; remove that one to take this one"
                continue
            _copy_dataset(other.raw(result.dataset), folder.raw(result.dataset))
            if other.sr(*names).is_dir():
                shutil.copytree(other.sr(*names), folder.sr(*names), dirs_exist_ok=True)
            length = (result.dataset, result.row.name)
            if other.length_file(*length).is_file() and not folder.length_file(*length).is_file():
                _copy(other.length_file(*length), folder.length_file(*length))
            _copy(path, own)
            taken += 1
    yield f"{other.root}: {taken} rows taken over, {alike} were here already"


def _copy_dataset(dataset: Path, to: Path) -> None:
    """Copy a raw dataset that is not there yet, whole or not at all."""
    if to.is_dir() or not dataset.is_dir():
        return
    with whole_folder(to) as partial:
        shutil.copytree(dataset, partial, dirs_exist_ok=True)


def _copy(path: Path, to: Path) -> None:
    """Copy a file, whole or not at all."""
    with whole_file(to) as partial:
        shutil.copyfile(path, partial)
