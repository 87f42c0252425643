"""A moving average of the weights that predict (EMA)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from udeansr.methods.method import Method


class WeightAverage:
    """An exponential moving average of the submodules that a method names in ``averaged``.

    The decay warms up as min(decay, (1 + n) / (10 + n)) over the updates n, so that the first weights,
    which are random, are soon forgotten. A decay of 0 keeps the last weights themselves.
    """

    def __init__(self, method: Method, decay: float) -> None:
        """Begin with the method's weights as they are."""
        self.decay = decay
        self._method = method
        self._averages = {name: tensor.detach().clone() for name, tensor in self._weights()}
        pairs = [(self._averages[name], tensor) for name, tensor in self._weights()]
        self._moving = [pair for pair in pairs if pair[1].is_floating_point()]
        self._counting = [pair for pair in pairs if not pair[1].is_floating_point()]

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Move towards the method's weights.

        Args:
            updates: how often the average was updated before.
        """
        decay = min(self.decay, (1 + updates) / (10 + updates))
        if self._moving:  # all in one call: one by one they take longer than what they compute
            averages, weights = map(list, zip(*self._moving, strict=True))
            torch._foreach_lerp_(averages, weights, 1 - decay)  # type: ignore[reportPrivateImportUsage]
        for average, tensor in self._counting:
            average.copy_(tensor)

    def state_dict(self) -> dict[str, Tensor]:
        """The averages under the names that they have in the method's own state dict."""
        return self._averages

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take averages that were saved.

        Raises:
            ValueError: if the names differ from the method's.
        """
        if state.keys() != self._averages.keys():
            raise ValueError(f"other weights: {sorted(state.keys() ^ self._averages.keys())[:3]}")
        for name, average in self._averages.items():
            average.copy_(state[name])

    @contextmanager
    @torch.no_grad()
    def in_place(self) -> Iterator[Method]:
        """Give the method its averaged weights for a while; its own come back bit for bit."""
        own = {name: tensor.detach().clone() for name, tensor in self._weights()}
        try:
            for name, tensor in self._weights():
                tensor.copy_(self._averages[name])
            yield self._method
        finally:
            for name, tensor in self._weights():
                tensor.copy_(own[name])

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        """Weights and buffers of the averaged submodules."""
        for part in self._method.averaged:
            module = self._method.get_submodule(part)
            for name, tensor in module.state_dict(keep_vars=True).items():
                yield f"{part}.{name}", tensor
