"""The networks that prediction needs, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from udeansr.methods import Method, build_method, load_settings
from udeansr.planning.configuration import Configuration

_SIDE = 8


def empty_method(name: str, configuration: Configuration, settings: Mapping[str, Any]) -> Method:
    """A method whose weights have names and shapes, but no memory and no values yet.

    Raises:
        UdeansrError: if there is no such method or setting here.
    """
    with torch.device("meta"):
        return build_method(name, configuration, load_settings(name, dict(settings), stored=True))


def keep_averaged(method: Method) -> None:
    """Take away the networks that only training needs; super-resolving, degrading and explaining go on."""
    for name, _ in list(method.named_children()):
        if name not in method.averaged:
            delattr(method, name)


def keep_deployed(method: Method) -> None:
    """Take away all networks but those that an LR slab passes on its way to SR, as a slab that is sent through shows.

    Args:
        method: filled, or empty: then its weights get memory on the processor, and any values.
    """
    device = next(method.parameters()).device
    if device.type == "meta":
        device = torch.device("cpu")
        method.to_empty(device=device)
    with torch.enable_grad():
        for parameter in method.parameters():
            parameter.requires_grad_(True)
        sr = method.super_resolve(torch.zeros(1, method.configuration.task.input_slices, _SIDE, _SIDE, device=device))
        names, parameters = zip(*method.named_parameters(), strict=True)
        gradients = torch.autograd.grad(sr.sum(), parameters, allow_unused=True)
    passed = {name for name, gradient in zip(names, gradients, strict=True) if gradient is not None}
    _prune(method, "", passed)


def fill(method: Method, weights: Mapping[str, Tensor], device: torch.device | str) -> None:
    """Give an empty method its weights and make it ready to predict.

    Args:
        method: has the weights' names and shapes.
        weights: float tensors; they become the method's own.
        device: where it will compute.
    Raises:
        RuntimeError: if a weight is missing, unknown or of another shape.
    """
    method.load_state_dict(weights, assign=True)
    method.requires_grad_(False)
    method.to(device)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    method.eval()


def _prune(module: nn.Module, prefix: str, passed: set[str]) -> None:
    """Take away the children that have weights of which none is passed; those without weights stay."""
    for name, child in list(module.named_children()):
        inside = f"{prefix}{name}."
        if next(child.parameters(), None) is None:
            continue
        if any(weight.startswith(inside) for weight in passed):
            _prune(child, inside, passed)
        else:
            del module._modules[name]
