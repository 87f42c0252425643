"""Where the seconds of an iteration go: a clock that waits for the device at the end of each phase."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from udeansr.batches.batch import Batch
from udeansr.device import wait_for
from udeansr.methods.method import Method
from udeansr.networks.discriminator import Discriminator

LOAD, COPY, FORWARD, JUDGE = "load", "copy", "forward", "forward of discriminators"
OPTIMISERS, AVERAGE = "optimisers", "weight average"
"""Optimisers: the casts of weights to half precision and the scaling of gradients are in it."""


def backward_of(player: str) -> str:
    """The phase of a player's way back, through all networks that its losses reach."""
    return f"backward of {player}"


class PhaseClock:
    """Sums of seconds by phase."""

    def __init__(self, device: torch.device) -> None:
        """Start; nothing is summed yet."""
        self.seconds: dict[str, float] = {}
        self._device = device
        self._last = time.perf_counter()

    def begin(self) -> None:
        """Begin a phase, whatever was before."""
        wait_for(self._device)
        self._last = time.perf_counter()

    def end(self, phase: str) -> None:
        """End a phase once the device has computed it; the next begins."""
        wait_for(self._device)
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now


@contextmanager
def watched(method: Method, clock: PhaseClock, apart: bool = True) -> Iterator[None]:
    """Let a clock end each phase of the iterations that a method plays meanwhile.

    Begin the clock before an iteration, and end ``AVERAGE`` after it.

    Args:
        method: in a trainer.
        clock: of the trainer's device.
        apart: tell the forward pass of discriminators apart; not to be had of compiled networks.
    """
    turns, player = method.turns, ""

    def timed_turns(batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        nonlocal player
        clock.end(OPTIMISERS)
        for player, losses in turns(batch):
            clock.end(FORWARD)
            yield player, losses
            clock.end(OPTIMISERS)
        clock.end(FORWARD)

    def before_a_step(*_: Any) -> None:
        clock.end(backward_of(player))

    handles = [register_optimizer_step_pre_hook(before_a_step)]
    for network in method.modules() if apart else ():
        if isinstance(network, Discriminator):
            handles.append(network.register_forward_pre_hook(_ending(clock, FORWARD)))
            handles.append(network.register_forward_hook(_ending(clock, JUDGE)))
    method.turns = timed_turns
    try:
        yield
    finally:
        del method.turns  # the class' own is there again
        for handle in handles:
            handle.remove()


def _ending(clock: PhaseClock, phase: str) -> Callable[..., None]:
    def hook(*_: Any) -> None:
        clock.end(phase)

    return hook
