"""Methods: who learns what."""

from __future__ import annotations

from typing import Any

from udeansr.errors import UdeansrError, did_you_mean
from udeansr.methods.blindsr import BlindSr
from udeansr.methods.dasr import Dasr
from udeansr.methods.interpolation import Sinc, Tricubic
from udeansr.methods.method import Method
from udeansr.methods.plugins import entry_points, load_method
from udeansr.methods.pseudosr import PseudoSr
from udeansr.methods.self_supervised import SelfSupervised
from udeansr.methods.settings import settings_from_text
from udeansr.methods.supervised import Supervised
from udeansr.methods.udean import Udean, UdeanPaper
from udeansr.methods.zssr import Zssr
from udeansr.planning.configuration import Configuration
from udeansr.strict_json import from_json

METHODS: dict[str, type[Method]] = {
    "udean": Udean,
    "udean_paper": UdeanPaper,
    "supervised": Supervised,
    "dasr": Dasr,
    "pseudosr": PseudoSr,
    "blindsr": BlindSr,
    "zssr": Zssr,
    "self": SelfSupervised,
    "tricubic": Tricubic,
    "sinc": Sinc,
}
"""Our own methods by name; a new one is one file and one line here. Those of others: :mod:`udeansr.methods.plugins`."""

_BEFORE: dict[str, dict[str, Any]] = {"supervised": {"network": "rcan"}}
"""What held before a setting existed: files without it were made with that."""

__all__ = ["METHODS", "Method", "build_method", "load_settings", "method_type", "parse_settings"]


def method_type(name: str) -> type[Method]:
    """The method of a name: ours, or one that another installed package has under ``udeansr.methods``.

    Raises:
        UdeansrError: if there is none, or the other package's cannot be loaded or is none.
    """
    if name in METHODS:
        return METHODS[name]
    others = entry_points()
    if name in others:
        return load_method(others[name])
    known = (*METHODS, *others)
    raise UdeansrError(f"there is no method {name!r}{did_you_mean(name, known)}; expected {', '.join(known)}")


def parse_settings(method_name: str, assignments: list[str]) -> Any:
    """A method's settings: its defaults, changed by what the command line said.

    Args:
        method_name: as :func:`method_type` knows it.
        assignments: each METHOD.NAME=VALUE, for example ``udean.lambda_da=0.1``.
    Returns: the method's ``settings_type``.
    Raises:
        UdeansrError: if the method, the setting or the value is none, or a setting has no effect beside the others.
    """
    return settings_from_text(method_type(method_name).settings_type, method_name, assignments)


def load_settings(method_name: str, values: dict[str, Any], *, stored: bool = False) -> Any:
    """A method's settings from JSON: the way back from ``dataclasses.asdict``.

    Args:
        method_name: as :func:`method_type` knows it.
        values: those that are not the defaults, or all.
        stored: whether they are those of a checkpoint or a model file, which holds all that there were at its time.
    Raises:
        UdeansrError: if the method, a setting or its value is none.
    """
    values = {**(_BEFORE.get(method_name, {}) if stored else {}), **values}
    return from_json(method_type(method_name).settings_type, values, f"the settings of {method_name}")


def build_method(name: str, configuration: Configuration, settings: Any) -> Method:
    """Build a method with fresh weights, which depend on torch's seed.

    Args:
        name: as :func:`method_type` knows it.
        configuration: the data's numbers and the networks' size.
        settings: as :func:`parse_settings` gave them for this method.
    Raises:
        UdeansrError: if there is no such method, or it cannot learn from the configuration's variety of LR.
        ValueError: if the settings are another method's.
    """
    kind = method_type(name)
    if not isinstance(settings, kind.settings_type):
        raise ValueError(f"{name} takes {kind.settings_type.__name__}, not {type(settings).__name__}")
    if configuration.task.deconvolves and kind.players and not kind.supports_domain_randomization:
        able = ", ".join(name for name, method in METHODS.items() if method.supports_domain_randomization)
        raise UdeansrError(
            f"{name} does not learn from a variety of LR, which is the source_degradation of {configuration.name}; "
            f"expected --method {able}, or another source_degradation in the plan"
        )
    return kind(configuration, settings)
