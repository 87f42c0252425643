"""What a model that travels says of itself. Knows plans and JSON; knows no weights and no file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import udeansr
from udeansr.errors import UdeansrError
from udeansr.models.calibration import Calibration
from udeansr.planning.domain import Domain
from udeansr.planning.plan import Configuration, Plan
from udeansr.strict_json import check_keys

MODEL_FORMAT = 1

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
CONTRAST = re.compile(r"[A-Za-z][A-Za-z0-9]{0,31}")

_KEYS = {
    *("format", "version", "name", "contrast", "plan", "configuration", "method", "settings", "run"),
    *("domain", "calibration"),
}


@dataclass(frozen=True)
class ModelDescription:
    """All that a model is but its weights and its card; ``model.json`` in the file.

    Attributes:
        name: small letters, digits, - and _: how the user calls it.
        contrast: of the images, in the words of BIDS: T1w.
        plan: with the one configuration that the model was trained in.
        method: a key of ``METHODS``.
        settings: the method's.
        run: the settings of the training.
        domain: of the people that it learnt from, if they were measured.
        calibration: from the spread of its answers to the error to expect, if it was measured.
        version: of udeansr, which wrote it.

    Raises:
        UdeansrError: if the name or the contrast is none.
    """

    name: str
    contrast: str
    plan: Plan
    method: str
    settings: dict[str, Any]
    run: dict[str, Any] = field(default_factory=dict)
    domain: Domain | None = None
    calibration: Calibration | None = None
    version: str = udeansr.__version__

    def __post_init__(self) -> None:
        """Refuse words that could not be shown, typed, or be the name of a file."""
        if not NAME.fullmatch(self.name):
            raise UdeansrError(f"{self.name!r} is no name of a model; expected small letters, digits, - and _")
        if not CONTRAST.fullmatch(self.contrast):
            raise UdeansrError(f"{self.contrast!r} is no contrast; expected a word as in BIDS, such as T1w")
        if len(self.plan.configurations) != 1:
            raise ValueError(f"{len(self.plan.configurations)} configurations; a model is trained in one")

    @property
    def configuration(self) -> Configuration:
        """The one of the plan."""
        return next(iter(self.plan.configurations.values()))

    def as_dict(self) -> dict[str, Any]:
        """The description as JSON takes it."""
        return {
            "format": MODEL_FORMAT,
            "version": self.version,
            "name": self.name,
            "contrast": self.contrast,
            "method": self.method,
            "configuration": self.configuration.name,
            "settings": self.settings,
            "run": self.run,
            "plan": self.plan.as_dict(),
            "domain": self.domain and self.domain.as_dict(),
            "calibration": self.calibration and self.calibration.as_dict(),
        }

    @classmethod
    def from_dict(cls, values: Any, where: str) -> ModelDescription:
        """The way back from :meth:`as_dict`.

        Args:
            values: what JSON gave.
            where: the file, for messages.
        Raises:
            UdeansrError: naming what is unknown, missing or of no sense, or a format of another version.
        """
        if isinstance(values, dict) and values.get("format", MODEL_FORMAT) != MODEL_FORMAT:
            raise UdeansrError(
                f"{where}: model format {values['format']!r}, written by udeansr {values.get('version')}; udeansr "
                f"{udeansr.__version__} reads format {MODEL_FORMAT}. Install a version that reads it"
            )
        check_keys(values, _KEYS, where)
        words = ("name", "contrast", "configuration", "method", "version")
        kinds = {word: str for word in words} | {"settings": dict, "run": dict, "plan": dict}
        for key, kind in kinds.items():
            if not isinstance(values[key], kind):
                raise UdeansrError(f"{where}: '{key}' is {values[key]!r}; expected {_NOUNS[kind]}")
        try:
            plan = Plan.from_dict(values["plan"], where)
            return cls(
                name=values["name"],
                contrast=values["contrast"],
                plan=one_configuration(plan, values["configuration"]),
                method=values["method"],
                settings=values["settings"],
                run=values["run"],
                domain=None if values["domain"] is None else Domain.from_dict(values["domain"]),
                calibration=None if values["calibration"] is None else Calibration.from_dict(values["calibration"]),
                version=values["version"],
            )
        except UdeansrError as error:
            raise error if str(error).startswith(where) else UdeansrError(f"{where}: {error}") from error


_NOUNS = {str: "text", dict: "an object"}


def one_configuration(plan: Plan, name: str) -> Plan:
    """The plan without the configurations of other trainings.

    Raises:
        UdeansrError: if it has none of this name.
    """
    return replace(plan, configurations={name: replace(plan.configuration(name), inherits_from=None)})
