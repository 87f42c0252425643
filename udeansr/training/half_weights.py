"""Weights cast to half precision once a step and all together, where autocast would cast each at each use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

CAST_BY_AUTOCAST = (nn.Conv2d, nn.Linear)
"""Whose weights autocast casts; what is derived from such a layer, by spectral normalisation, is left to it."""


class _Place(NamedTuple):
    """A weight, where it lies, its copy, and the memory of its gradient in float32."""

    module: nn.Module
    name: str
    weight: nn.Parameter
    half: nn.Parameter
    gradient: Tensor


class HalfWeights:
    """Copies in half precision of the weights of convolutions and linear layers, which compute with them.

    The weights themselves stay in float32: they are what is stepped, averaged and saved. What a copy's gradient is made
    of is summed in its own precision, over all uses of the network in a turn, as autocast with its cache does it.
    """

    def __init__(self, module: nn.Module, owners: Mapping[str, Sequence[nn.Parameter]], half: torch.dtype) -> None:
        """Make room for the copies.

        Args:
            module: on its device.
            owners: the weights of each player.
            half: bfloat16 or float16.
        """
        player_of = {id(weight): player for player, weights in owners.items() for weight in weights}
        self._places: dict[str, list[_Place]] = {player: [] for player in owners}
        for part in module.modules():
            for name, weight in part._parameters.items() if type(part) in CAST_BY_AUTOCAST else ():
                if weight is not None:
                    copy = nn.Parameter(weight.detach().to(half), requires_grad=weight.requires_grad)
                    place = _Place(part, name, weight, copy, torch.zeros_like(weight))
                    self._places[player_of[id(weight)]].append(place)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the layers compute with copies of their weights as they are now."""
        for player in self._places:
            self.renew(player)
        places = [place for places in self._places.values() for place in places]
        try:
            for place in places:
                place.module._parameters[place.name] = place.half
            yield
        finally:
            for place in places:
                place.module._parameters[place.name] = place.weight

    @torch.no_grad()
    def renew(self, player: str) -> None:
        """Copy the weights of a player anew."""
        if places := self._places[player]:
            torch._foreach_copy_([place.half for place in places], [place.weight for place in places])  # type: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def return_gradients(self, player: str) -> None:
        """Give the weights of a player the gradients of their copies, in float32; None where a copy has none."""
        found = [(place, place.half.grad) for place in self._places[player]]
        for place, gradient in found:
            place.weight.grad = None if gradient is None else place.gradient
        there = [(place.gradient, gradient) for place, gradient in found if gradient is not None]
        if there:
            gradients, halves = zip(*there, strict=True)
            torch._foreach_copy_(gradients, halves)  # type: ignore[reportPrivateImportUsage]
