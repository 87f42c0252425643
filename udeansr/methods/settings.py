"""A method's settings (its hyperparameters) as they are typed: ``--set udean.lambda_da=0.1``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

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
        UdeansrError: if one has another form, names another method or an unknown setting, or its value does not fit.
    """
    values: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        owner, dot, key = name.strip().partition(".")
        if not (equals and dot):
            raise UdeansrError(f"'{assignment}' sets nothing; expected METHOD.NAME=VALUE, for example udean.beta=0.01")
        if owner != method:
            raise UdeansrError(f"'{assignment}' is for the method '{owner}', but the method is '{method}'")
        values[key] = text.strip()
    return from_text(settings_type, values, f"the settings of {method}")
