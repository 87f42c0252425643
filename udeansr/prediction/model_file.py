"""A trained model as one file that can be sent around: plan, settings, weights, card. Runs no code that is in it."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from udeansr.errors import UdeansrError
from udeansr.prediction.archive import read_archive, write_archive
from udeansr.prediction.model_description import ModelDescription

DESCRIPTION, WEIGHTS, CARD = "model.json", "weights.safetensors", "card.md"
LIMITS_BYTES = {DESCRIPTION: 2**24, WEIGHTS: 2**29, CARD: 2**20}
"""How long a member may be; a network of the paper's size has some 10 MB of weights."""


def write_model(
    path: Path, description: ModelDescription, weights: dict[str, Tensor], card: str, *, half: bool
) -> None:
    """Write a model, whole or not at all; the same model gives the same bytes.

    Args:
        path: the zip.
        description: of the model.
        weights: what prediction needs, by name.
        card: Markdown for people.
        half: whether weights are stored in float16 (half the size), or in float32.
    Raises:
        UdeansrError: if it cannot be written, or a weight is too large for float16.
    """
    kind = torch.float16 if half else torch.float32
    stored = {name: weight.detach().cpu().to(kind).contiguous() for name, weight in weights.items()}
    for name, weight in stored.items():
        if not torch.isfinite(weight).all():
            raise UdeansrError(
                f"{path}: the weight {name} is not finite in {'float16' if half else 'float32'}; "
                + ("export with --float32" if half else "train again")
            )
    text = json.dumps(description.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    members = {DESCRIPTION: text.encode(), WEIGHTS: safetensors.torch.save(stored), CARD: card.encode()}
    write_archive(path, members)


def read_description(path: Path) -> ModelDescription:
    """Read what a model is, without its weights.

    Raises:
        UdeansrError: if the file is no model of ours.
    """
    return _description(path, read_archive(path, LIMITS_BYTES, (DESCRIPTION,))[DESCRIPTION])


def read_model(path: Path) -> tuple[ModelDescription, dict[str, Tensor]]:
    """Read a model and its weights, which come as float32.

    Raises:
        UdeansrError: if the file is no model of ours.
    """
    members = read_archive(path, LIMITS_BYTES)
    description = _description(path, members[DESCRIPTION])
    _card(path, members[CARD])
    try:
        weights = safetensors.torch.load(members[WEIGHTS])
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UdeansrError(f"{path}: its {WEIGHTS} cannot be read ({error}); get the file again") from error
    odd = sorted(name for name, weight in weights.items() if weight.dtype not in (torch.float16, torch.float32))
    if odd:
        raise UdeansrError(f"{path}: the weight {odd[0]} is {weights[odd[0]].dtype}; expected float16 or float32")
    return description, {name: weight.float() for name, weight in weights.items()}


def read_card(path: Path) -> str:
    """Read the card of a model.

    Raises:
        UdeansrError: if the file is no model of ours, or the card holds what would command a terminal.
    """
    return _card(path, read_archive(path, LIMITS_BYTES, (CARD,))[CARD])


def _description(path: Path, content: bytes) -> ModelDescription:
    try:
        values = json.loads(content.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UdeansrError(f"{path}: its {DESCRIPTION} is no JSON; get the file again") from error
    return ModelDescription.from_dict(values, str(path))


def _refuse(constant: str) -> None:
    """NaN and infinity, which JSON does not know and Python's reader does."""
    raise ValueError(constant)


def _card(path: Path, content: bytes) -> str:
    card = content.decode("utf-8", "replace")
    if any(not sign.isprintable() and sign not in "\n\t" for sign in card):
        raise UdeansrError(f"{path}: its {CARD} holds signs that are no text; get the file again")
    return card
