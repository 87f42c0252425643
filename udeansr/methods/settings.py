"""A method's settings (its hyperparameters) as they are typed: ``--set udean.lambda_da=0.1``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from udeansr.errors import UdeansrError
from udeansr.strict_json import from_text

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""


def settings_from_text(settings_type: type[Settings], method: str, assignments: list[str]) -> Settings:
    """Read assignments on top of the defaults; of two for one name the last holds.

    Args:
        settings_type: a frozen dataclass with a default for each field.
        method: the method's name, which each assignment begins with.
        assignments: ``udean.lambda_da=0.1`` and the like.
    Raises:
        UdeansrError: if one has another form, names another method or an unknown setting, its value does not fit, or
            it has no effect beside the others.
    """
    values: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        owner, dot, key = name.strip().partition(".")
        if not (equals and dot):
            raise UdeansrError(f"{assignment!r} sets nothing; expected METHOD.NAME=VALUE, for example udean.beta=0.01")
        if owner != method:
            raise UdeansrError(f"{assignment!r} is for the method {owner!r}, but the method is '{method}'")
        values[key] = text.strip()
    settings = from_text(settings_type, values, f"the settings of {method}")
    for name, reason in without_effect(settings).items():
        if name in values:
            raise UdeansrError(f"{method}.{name} has no effect beside {method}.{reason}; leave one of them out")
    return settings


def without_effect(settings: Any) -> dict[str, str]:
    """The names of settings that change nothing beside the others, each with the setting that is why.

    A method's settings say so themselves, by a method of this name, where there are such.
    """
    return settings.without_effect() if hasattr(settings, "without_effect") else {}
