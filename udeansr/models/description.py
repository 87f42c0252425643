"""What a model that travels says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import udeansr
from udeansr.errors import UdeansrError
from udeansr.models.calibration import Calibration
from udeansr.planning.configuration import Configuration
from udeansr.planning.domain import Domain
from udeansr.planning.plan import Plan
from udeansr.strict_json import as_json, from_json

MODEL_FORMAT = 2

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ANY_CONTRAST = "any"
"""The contrast of a model that was made for all: where learning begins, not one that is taken unasked."""

CONTRAST = re.compile(r"[A-Za-z][A-Za-z0-9]{0,31}")


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
        domain: of the subjects that it learnt from, if they were measured.
        calibration: from the standard deviation of its predictions to the error to expect, if it was measured.
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
        """Refuse words that could not be printed, typed, or be the name of a file."""
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
        stored = _Stored(
            format=MODEL_FORMAT,
            version=self.version,
            name=self.name,
            contrast=self.contrast,
            method=self.method,
            configuration=self.configuration.name,
            settings=self.settings,
            run=self.run,
            plan=self.plan.as_dict(),
            domain=self.domain,
            calibration=self.calibration,
        )
        return as_json(stored)

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
        stored = from_json(_Stored, values, where)
        plan = Plan.from_dict(stored.plan, where)
        try:
            return cls(
                name=stored.name,
                contrast=stored.contrast,
                plan=one_configuration(plan, stored.configuration),
                method=stored.method,
                settings=stored.settings,
                run=stored.run,
                domain=stored.domain,
                calibration=stored.calibration,
                version=stored.version,
            )
        except UdeansrError as error:
            raise UdeansrError(f"{where}: {error}") from error


@dataclass(frozen=True)
class _Stored:
    """A description as it lies in ``model.json``."""

    format: int
    version: str
    name: str
    contrast: str
    method: str
    configuration: str
    settings: dict[str, Any]
    run: dict[str, Any]
    plan: dict[str, Any]
    domain: Domain | None
    calibration: Calibration | None


def one_configuration(plan: Plan, name: str) -> Plan:
    """The plan without the configurations of other trainings.

    Raises:
        UdeansrError: if it has none of this name.
    """
    return replace(plan, configurations={name: replace(plan.configuration(name), inherits_from=None)})
