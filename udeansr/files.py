"""Files written whole or not at all, and JSON that people edit, read strictly."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from udeansr.errors import UdeansrError


def read_json(path: Path, noun: str, remedy: str) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        noun: what should lie there, for messages: "plan".
        remedy: how to make one, for messages: a command.
    Raises:
        UdeansrError: if the file is missing or no JSON.
    """
    if not path.is_file():
        raise UdeansrError(f"{path}: there is no {noun}; make one: {remedy}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UdeansrError(f"{path}: no JSON ({error}); mend it, or make it again: {remedy}") from error


def write_json(values: Any, path: Path) -> None:
    """Write a JSON file, whole or not at all; the folder is made.

    Raises:
        ValueError: if a number is not finite, which JSON does not know.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def check_keys(values: Any, known: set[str], where: str, optional: set[str] | None = None) -> None:
    """Refuse what is no object, unknown keys and missing ones, by name.

    Raises:
        UdeansrError: naming the file or place ``where`` and the first key that is wrong.
    """
    if not isinstance(values, dict):
        raise UdeansrError(f"{where}: expected an object with the keys {', '.join(sorted(known))}")
    unknown = sorted(set(values) - known)
    if unknown:
        raise UdeansrError(f"{where}: unknown key '{unknown[0]}'; known are {', '.join(sorted(known))}")
    missing = sorted(known - (optional or set()) - set(values))
    if missing:
        raise UdeansrError(f"{where}: the key '{missing[0]}' is missing; expected {', '.join(sorted(known))}")


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
