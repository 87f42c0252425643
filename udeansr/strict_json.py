"""Dataclasses that lie on disk as JSON, and are read back strictly: types, bounds, unknown and missing keys."""

from __future__ import annotations

import functools
import json
import math
import types
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le

from udeansr.errors import UdeansrError
from udeansr.files import CHECK_DISK, write_whole

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import ErrorDetails

Record = TypeVar("Record")

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
"""Types of fields with their bounds."""

_KINDS = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
_LONGEST_VALUE = 60
"""Characters of a wrong value that a message quotes."""

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "missing": "a longer list",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
}
"""What was expected by pydantic's name of the fault, in the words of JSON."""


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
    except RecursionError as error:
        raise UdeansrError(
            f"{path}: its lists and objects lie too deep in each other; make it again: {remedy}"
        ) from error
    except (OSError, ValueError) as error:
        raise UdeansrError(f"{path}: no JSON ({error}); mend it, or make it again: {remedy}") from error


def read_json_object(path: Path, noun: str, remedy: str) -> dict[str, Any]:
    """The same of a file that has to hold an object: keys and values.

    Raises:
        UdeansrError: if the file is missing, no JSON, or something else.
    """
    values = read_json(path, noun, remedy)
    if not isinstance(values, dict):
        raise UdeansrError(f"{path}: holds {_KINDS.get(type(values), 'a number')}; expected an object; {remedy}")
    return values


def write_json(values: Any, path: Path, remedy: str = CHECK_DISK) -> None:
    """Write a JSON file, whole or not at all; the folder is made.

    Args:
        values: what JSON takes, or a dataclass.
        path: the file.
        remedy: what to do if it cannot be written, for the message.
    Raises:
        ValueError: if a number is not finite, which JSON does not know.
        UdeansrError: if the file cannot be written.
    """
    values = asdict(values) if is_dataclass(values) and not isinstance(values, type) else values
    write_whole(path, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n", remedy)


def as_json(record: Any) -> dict[str, Any]:
    """A dataclass as JSON gives it back: objects, lists, text and numbers.

    Raises:
        ValueError: if a number is not finite, which JSON does not know.
    """
    return json.loads(json.dumps(asdict(record), allow_nan=False))


def from_json(kind: type[Record], values: Any, where: str, remedy: str = "") -> Record:
    """A dataclass from what :func:`as_json` gave: unknown and missing keys, wrong types and bounds are refused.

    Nothing is converted: "3" and true are no numbers; only a whole number is taken for a float. Bounds stand at the
    fields: ``Annotated[int, Ge(1)]``.

    Args:
        kind: a dataclass; its fields may be dataclasses, tuples, dictionaries, literals and unions of these.
        values: the object that JSON gave.
        where: the file or place, for messages.
        remedy: what to do, for messages.
    Raises:
        UdeansrError: naming the place, the first key that is wrong, what was found and what was expected.
    """
    try:
        text = json.dumps(values)
    except (TypeError, ValueError, RecursionError) as error:
        raise UdeansrError(f"{where}: {error}; expected what JSON holds{_then(remedy)}") from error
    leaves = _leaves(values)
    for leaf in leaves:
        if isinstance(leaf, str) and not _is_text(leaf):
            raise UdeansrError(
                f"{where}: {leaf[:_LONGEST_VALUE]!a} holds signs that command a terminal or are no text; expected "
                f"letters, digits and punctuation{_then(remedy)}"
            )
    record = _validated(kind, lambda adapter: adapter.validate_json(text), where, remedy)
    if any(isinstance(leaf, float) and not math.isfinite(leaf) for leaf in leaves):  # where any value may be
        raise UdeansrError(f"{where}: a number is not finite; expected finite numbers{_then(remedy)}")
    return record


def read_json_as(kind: type[Record], path: Path, noun: str, remedy: str) -> Record:
    """Read a dataclass from a JSON file, as :func:`read_json` and :func:`from_json`.

    Raises:
        UdeansrError: if the file is missing, is no JSON, or holds something else.
    """
    return from_json(kind, read_json(path, noun, remedy), str(path), f"mend it, or make it again: {remedy}")


def from_text(kind: type[Record], values: Mapping[str, str], where: str, remedy: str = "") -> Record:
    """A dataclass from words that a person typed: numbers, ``true``, ``no``, ``on``, or the words of a literal.

    Args:
        kind: as for :func:`from_json`; fields that are not named take their defaults.
        values: a word for each name.
        where: where they were typed, for messages.
        remedy: what to do, for messages.
    Raises:
        UdeansrError: as :func:`from_json`.
    """
    return _validated(kind, lambda adapter: adapter.validate_strings(dict(values)), where, remedy)


@dataclass(frozen=True)
class Difference:
    """A value that is not the same in two objects of JSON.

    Attributes:
        name: its key, ``outer.inner`` within other objects.
        former, now: both values; None where it is missing.
    """

    name: str
    former: Any
    now: Any

    def __str__(self) -> str:
        """The difference in words; of lists and objects the name alone."""
        values = (self.former, self.now)
        long = any(isinstance(value, list | dict) and len(value) > 3 for value in values)
        return self.name if long else f"{self.name} {' -> '.join(map(str, values))}".replace("\n", "\\n")


def differences(former: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> list[Difference]:
    """What differs between two objects of JSON, objects within them compared key by key."""
    found: list[Difference] = []
    for name in {**former, **now}:
        one, other = former.get(name), now.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{within}{name}.")
        elif one != other:
            found.append(Difference(f"{within}{name}", one, other))
    return found


@functools.cache
def _adapter(kind: type) -> TypeAdapter:
    """What reads a dataclass, and those within it, strictly."""
    from pydantic import ConfigDict, TypeAdapter, with_config  # a tenth of a second, for which ``-h`` does not wait

    return TypeAdapter(with_config(ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))(kind))


def _validated(kind: type[Record], read: Callable[[TypeAdapter], Record], where: str, remedy: str) -> Record:
    from pydantic import ValidationError

    try:
        return read(_adapter(kind))
    except ValidationError as error:
        fault = _fault(kind, error).replace("\n", "\\n")  # of a key or a text that has several lines
        raise UdeansrError(f"{where}: {fault}{_then(remedy)}") from error
    except UdeansrError as error:  # of a dataclass' own ``__post_init__``
        told = str(error).replace("\n", "\\n")
        raise UdeansrError(f"{where}: {told}") from error


def _leaves(values: Any) -> list[Any]:
    """All keys, texts and numbers in what JSON gave, whatever lies in what."""
    found, waiting = [], [values]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            waiting += [*here, *here.values()]
        elif isinstance(here, list | tuple):
            waiting += here
        else:
            found.append(here)
    return found


def _is_text(words: str) -> bool:
    return all(sign.isprintable() or sign in "\n\t" or unicodedata.category(sign) == "Zs" for sign in words)


def _then(remedy: str) -> str:
    return f"; {remedy}" if remedy else ""


def _fault(kind: type, error: ValidationError) -> str:
    """The first fault in words: the path of the key, what was found, what was expected."""
    faults = error.errors(include_url=False)
    # An unknown key first: it is often the misspelt name of one that is missing. Of a union each member gives a fault;
    # the one that got furthest is of the member that was meant.
    faults.sort(key=lambda fault: fault["type"] != "unexpected_keyword_argument")
    top = [fault for fault in faults if fault["loc"][:1] == faults[0]["loc"][:1]]
    first = max(top, key=lambda fault: (len(fault["loc"]), fault["type"] == "value_error"))
    path, within = _resolved(kind, first["loc"])
    name, keys = ".".join(path), ", ".join(item.name for item in fields(within)) or "none"
    if first["type"] == "unexpected_keyword_argument":
        return f"unknown key '{name}'; known are {keys}"
    if first["type"] == "missing" and isinstance(first["loc"][-1], str):
        return f"the key '{name}' is missing; expected {keys}"
    if first["type"] == "value_error":  # of a dataclass' own ``__post_init__``
        return ": ".join([*([f"'{name}'"] if name else []), first["msg"].removeprefix("Value error, ")])
    if first["type"] == "missing":
        path, name = path[:-1], ".".join(path[:-1])
    expected = dict.fromkeys(_expected(fault) for fault in top if _resolved(kind, fault["loc"])[0][: len(path)] == path)
    found = json.dumps(first["input"], ensure_ascii=False, default=str)
    found = found if len(found) <= _LONGEST_VALUE else f"{found[:_LONGEST_VALUE]}..."
    quoted = f"'{name}' is " if name else ""
    return f"{quoted}{found}; expected {' or '.join(expected)}"


def _expected(fault: ErrorDetails) -> str:
    words = _EXPECTED.get(fault["type"])
    return words.format(**fault.get("ctx", {})) if words else fault["msg"].removeprefix("Input should be ")


def _resolved(kind: Any, location: tuple[int | str, ...]) -> tuple[list[str], type]:
    """The keys and places to a value, without pydantic's names for members of a union, and the dataclass it is in."""
    path, within, here = [], kind, kind
    for part in location:
        members = [member for member in get_args(here) if member is not types.NoneType] if _is_union(here) else [here]
        if len(members) > 1:  # the part names one of them
            here = next((member for member in members if getattr(member, "__name__", "") == part), None)
            continue
        path.append(str(part))
        here = members[0]
        if is_dataclass(here) and isinstance(here, type):
            within, here = here, get_type_hints(here).get(str(part))
        elif get_origin(here) is tuple:
            kinds = get_args(here)
            here = kinds[0] if Ellipsis in kinds or part == len(kinds) else kinds[int(part)]
        else:
            here = get_args(here)[-1] if get_args(here) else None
    return path, within


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)
