"""``torch.compile`` of a method's networks: all of their variants, in training alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

VARIANTS = 8
"""Of one network in training: frozen or not, with gradients or without, batches alone or several together."""


def compile_networks(module: nn.Module) -> None:
    """Compile each network in place; a submodule without a forward of its own only holds networks.

    Networks of one class share one limit on the variants of their forward, beyond which torch compiles no more and
    hardly says so. It is raised to what so many networks need.
    """
    from torch._dynamo import config

    networks = list(_networks(module))
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"  # its name before torch 2.6
    setattr(config, limit, max(getattr(config, limit), VARIANTS * len(networks)))
    for network in networks:
        network.compile()


@contextmanager
def uncompiled() -> Iterator[None]:
    """Run compiled networks as they are written: for whole slices, whose shapes change, nothing is compiled anew."""
    set_stance = getattr(torch.compiler, "set_stance", None)
    if set_stance is None:  # before torch 2.6; slices are then compiled too
        yield
        return
    with set_stance("force_eager"):
        yield


def _networks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if type(child).forward is nn.Module.forward:
            yield from _networks(child)
        else:
            yield child
