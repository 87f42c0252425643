"""Writing a file whole or not at all. Knows bytes and places; knows no format."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from udeansr.errors import UdeansrError


def write_whole(path: Path, content: bytes, remedy: str = "give another place") -> None:
    """Write a file, whole or not at all; its folder is made, an existing file is replaced.

    Args:
        path: the file.
        content: all of it.
        remedy: what to do if it cannot be written, for the message.
    Raises:
        UdeansrError: if it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise UdeansrError(f"{path}: cannot be written ({error.strerror}); {remedy}") from error
    finally:
        with suppress(OSError):
            partial.unlink()
