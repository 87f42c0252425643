"""A method's settings from text and from JSON, and back. Knows dataclasses; knows no method."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from udeansr.errors import UdeansrError

Settings = TypeVar("Settings")

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""


def check_numbers(settings: Any) -> None:
    """Refuse a number among the settings that is no weight and no count.

    Raises:
        ValueError: naming the setting.
    """
    for item in fields(settings):
        value = getattr(settings, item.name)
        if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
            noun = "number" if isinstance(value, int) else "weight"
            raise ValueError(f"{item.name} is {value}; expected a {noun} of at least 0")


def check_share(name: str, value: float) -> None:
    """Refuse what is no part of a whole.

    Raises:
        ValueError: naming the setting.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; expected a part of the training, 0 to 1")


def settings_from_text(settings_type: type[Settings], method: str, assignments: list[str]) -> Settings:
    """Read what a person wrote at the command line, on top of the defaults; of two for one name the last holds.

    Args:
        settings_type: a frozen dataclass with a default for each field.
        method: the method's name, which each assignment begins with.
        assignments: ``udean.lambda_da=0.1`` and the like.
    Raises:
        UdeansrError: if one has another form, names another method or an unknown setting, or its value does not fit.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        owner, dot, key = name.strip().partition(".")
        if not (equals and dot):
            raise UdeansrError(f"'{assignment}' sets nothing; expected METHOD.NAME=VALUE, for example udean.beta=0.01")
        if owner != method:
            raise UdeansrError(f"'{assignment}' is for the method '{owner}', but the method is '{method}'")
        values[key] = text.strip()
    return _build(settings_type, method, values, _from_text)


def settings_from_dict(settings_type: type[Settings], method: str, values: dict[str, Any]) -> Settings:
    """Read what ``dataclasses.asdict`` gave, as it comes back from JSON or a checkpoint.

    Raises:
        UdeansrError: if a name is unknown or a value does not fit.
    """
    return _build(settings_type, method, values, _from_json)


def _build(settings_type: type[Settings], method: str, values: dict[str, Any], read: Any) -> Settings:
    """Build the settings from values, each read as the type of its field."""
    names = [item.name for item in fields(settings_type)]  # type: ignore[arg-type]
    hints = get_type_hints(settings_type)
    typed = {}
    for key, value in values.items():
        if key not in names:
            known = f"it has {', '.join(names)}" if names else "it has none"
            raise UdeansrError(f"the method '{method}' has no setting '{key}'; {known}")
        try:
            typed[key] = read(value, hints[key])
        except ValueError:
            raise UdeansrError(f"{method}.{key} is '{value}'; expected {_expected(hints[key])}") from None
    try:
        return settings_type(**typed)
    except ValueError as error:
        raise UdeansrError(f"{method}.{error}") from error


def _from_text(text: str, kind: Any) -> Any:
    """A value of a field's type from text. Raises: ValueError if it does not fit."""
    if kind is bool:
        if text.lower() not in _WORDS:
            raise ValueError
        return _WORDS[text.lower()]
    return _from_json(kind(text) if kind in (int, float) else text, kind)


def _from_json(value: Any, kind: Any) -> Any:
    """A value of a field's type from JSON. Raises: ValueError if it does not fit."""
    if get_origin(kind) is Literal:
        fits = value in get_args(kind)
    elif kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        fits = type(value) is kind
    if not fits:
        raise ValueError
    return float(value) if kind is float else value


def _expected(kind: Any) -> str:
    """What a field takes, in words."""
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind]
