"""The bundled models of thick slices: any contrast, one for each factor; where self-supervised learning begins."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from torch import Tensor

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.methods.self_supervised import ITERATIONS, SelfSettings
from udeansr.models.model_file import read_model
from udeansr.models.registry import BUNDLED

FACTORS = (2, 3, 4, 5, 6, 7, 8)
"""Slices that are made of one."""


def thick_slice_model(factor: int) -> str:
    """What the bundled model of a factor is called."""
    return f"thick-{Scale(factor, 1, 1)}"


def bundled_start(factor: int, settings: SelfSettings) -> dict[str, Tensor] | None:
    """The weights of the bundled model of a factor; None if there is none of this width and depth.

    Args:
        factor: slices that are made of one.
        settings: tell width and depth.
    """
    path = BUNDLED / f"{thick_slice_model(factor)}.zip"
    if not path.is_file():
        return None
    size, weights = _read(path)
    return weights if size == (settings.features, settings.blocks) else None


def beginning(factor: int, settings: SelfSettings, asked: bool) -> tuple[SelfSettings, dict[str, Tensor] | None]:
    """What learning from thick slices begins with, and the settings with the iterations that this needs.

    Args:
        factor: slices that are made of one.
        settings: as the user gave them.
        asked: whether the user asked for a bundled model.
    Raises:
        UdeansrError: if it was asked for and there is none of this width and depth.
    """
    start = bundled_start(factor, settings) if settings.pretrained else None
    if start is None and asked:
        raise UdeansrError(
            f"--set self.pretrained=true: no bundled model has {settings.features} features and {settings.blocks} "
            "blocks; expected their width and depth: leave features and blocks as they are, or pretrained"
        )
    if settings.iterations is None:
        settings = replace(settings, iterations=ITERATIONS[start is not None])
    return settings, start


@cache
def _read(path: Path) -> tuple[tuple[int, int], dict[str, Tensor]]:
    """Width and depth, and the weights."""
    description, weights = read_model(path)
    return (description.configuration.size.features, description.configuration.size.blocks), weights
