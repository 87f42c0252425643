"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import functools
import glob
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from udeansr.errors import UdeansrError

CHECK_DISK = "check the folder and the disk"
"""What to do when a file cannot be written."""

_PROBE_BYTES = 4096
"""A full disk may still take the name of a file."""


def partial_path(path: Path) -> Path:
    """The hidden file, or folder, beside ``path`` that is written first; it ends as ``path`` does."""
    first, dot, rest = path.name.partition(".")
    return path.with_name(f".{first}.{os.getpid()}.partial{dot}{rest}")


def remove_partials(path: Path) -> None:
    """Remove what processes that were killed while they wrote ``path`` have left beside it."""
    for left in _partials(path):
        _remove(left)


def check_writable(folder: Path) -> None:
    """See that files can be written into a folder, before the work that they are to hold; it is made.

    Raises:
        UdeansrError: if not.
    """
    probe = folder / f".{os.getpid()}.probe"
    with _refusals_named(folder, probe, CHECK_DISK):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(bytes(_PROBE_BYTES))
        finally:
            _remove(probe)


def reason_of(error: OSError) -> str:
    """Why the system refused, in its own words."""
    return error.strerror or str(error) or type(error).__name__


@contextmanager
def whole_file(path: Path, remedy: str = CHECK_DISK) -> Iterator[Path]:
    """Write a file, whole or not at all; its folder is made, an existing file is replaced.

    Args:
        path: the file.
        remedy: what to do if it cannot be written, for the message.
    Yields: the path to write to, which becomes ``path`` when the block ends without an exception.
    Raises:
        UdeansrError: if it cannot be written.
    """
    partial = partial_path(path)
    with _refusals_named(path, partial, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        try:
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            _remove(partial)


@contextmanager
def whole_folder(path: Path, remedy: str = CHECK_DISK) -> Iterator[Path]:
    """Make a folder, whole or not at all; its parent is made, an existing folder is replaced.

    Args:
        path: the folder.
        remedy: what to do if it cannot be written, for the message.
    Yields: an empty folder to fill, which becomes ``path`` when the block ends without an exception.
    Raises:
        UdeansrError: if it cannot be written.
    """
    partial = partial_path(path)
    replaced = path.with_name(f".{path.name}.{os.getpid()}{_REPLACED}")
    with _refusals_named(path, partial, remedy):
        _remove_abandoned(path)
        _remove(partial)
        partial.mkdir(parents=True)
        descriptor = os.open(partial, os.O_RDONLY)
        try:
            yield partial
            check_still_at(partial, descriptor, path)
            if path.exists():
                path.rename(replaced)
            try:
                partial.rename(path)
            except OSError:
                if replaced.exists():
                    replaced.rename(path)
                raise
        finally:
            os.close(descriptor)
            _remove(partial)
    _remove(replaced)


def is_still_at(path: Path, descriptor: int) -> bool:
    """Whether what was opened is what lies at a path now, and not another of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def check_still_at(path: Path, descriptor: int, what: Path) -> None:
    """See that nobody removed or replaced what is being written.

    Args:
        path: where it was opened.
        descriptor: of what was opened.
        what: is written, for the message.
    Raises:
        UdeansrError: if somebody did.
    """
    if not is_still_at(path, descriptor):
        raise UdeansrError(
            f"{what}: was removed or replaced while it was written; nothing more is written there; begin again"
        )


def write_whole(path: Path, content: bytes | memoryview | str, remedy: str = CHECK_DISK) -> None:
    """Write a file, whole or not at all; its folder is made, an existing file is replaced.

    Args:
        path: the file.
        content: all of it; text becomes UTF-8.
        remedy: what to do if it cannot be written, for the message.
    Raises:
        UdeansrError: if it cannot be written.
    """
    with whole_file(path, remedy) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def _refusals_named(path: Path, partial: Path, remedy: str) -> Iterator[None]:
    """Say in one line that ``path`` cannot be written; an error about another file passes as it is."""
    try:
        yield
    except OSError as error:
        own = error.filename is None or _lies_at(Path(os.fsdecode(error.filename)), path, partial)
        if not own:
            raise
        raise UdeansrError(f"{path}: cannot be written ({reason_of(error)}); {remedy}") from error


def _lies_at(named: Path, path: Path, partial: Path) -> bool:
    """Whether a file that an error names is what is being written, in it, or a folder above it."""
    return named.is_relative_to(partial) or named.is_relative_to(path) or path.is_relative_to(named)


_REPLACED = ".replaced"


def _partials(path: Path) -> list[Path]:
    """What is being written beside ``path`` to become it, or was when its process ended."""
    first, dot, rest = path.name.partition(".")
    return list(path.parent.glob(f".{glob.escape(first)}.*.partial{dot}{glob.escape(rest)}"))


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that are gone have left beside ``path``; those that still write it keep theirs."""
    first, dot, rest = (re.escape(part) for part in path.name.partition("."))
    own = re.compile(rf"\.{first}\.(\d+)\.partial{dot}{rest}|\.{first}{dot}{rest}\.(\d+){re.escape(_REPLACED)}")
    for left in _left_in(path.parent.absolute()):
        named = own.fullmatch(left.name)
        if named is not None and not process_lives(int(named[1] or named[2])):
            _remove(left)


@functools.cache
def _left_in(folder: Path) -> tuple[Path, ...]:
    """What lies half-written in a folder when this process first writes there: it may be too large to look again."""
    return (*folder.glob(".*.partial*"), *folder.glob(f".*{_REPLACED}"))


def process_lives(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _remove(left: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink(missing_ok=True)
