"""One iteration of any method: backward, clip, step; learning rate schedule; moving average of the weights (EMA)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.device import autocast
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

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Move towards the method's weights.

        Args:
            updates: how often the average was updated before.
        """
        decay = min(self.decay, (1 + updates) / (10 + updates))
        for name, tensor in self._weights():
            if tensor.is_floating_point():
                self._averages[name].lerp_(tensor, 1 - decay)
            else:
                self._averages[name].copy_(tensor)

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


LAST_LEARNING_RATE = 1e-8
"""Where the cosine ends (the authors' code)."""


def cosine_learning_rate(
    epoch: int,
    epochs: int,
    learning_rate: float,
    last_learning_rate: float = LAST_LEARNING_RATE,
    stage_starts: tuple[float, ...] = (0.0,),
) -> float:
    """The learning rate of one epoch, on half a cosine from the first to the last; each stage has its own.

    It depends on nothing else, so that a continued run goes on where it stopped.

    Args:
        epoch: epochs that are done, 0 to ``epochs``; the last value is reached when all are.
        epochs: epochs in all.
        learning_rate: learning rate of the first epoch of a stage.
        last_learning_rate: learning rate at the end.
        stage_starts: parts of the training that are done when a stage begins, rising from 0.
    """
    share_done = min(epoch / epochs, 1.0)
    stage = bisect_right(stage_starts, share_done) - 1
    start, end = (*stage_starts, 1.0)[stage : stage + 2]
    share_of_stage = (share_done - start) / (end - start) if end > start else 1.0
    return last_learning_rate + (learning_rate - last_learning_rate) * (1 + math.cos(math.pi * share_of_stage)) / 2


WARM_UP = 100
"""Iterations in which the learning rate rises, but no more than a sixth of the training.

At 3e-3 from the first iteration on, whatever the gradient, Adam's first steps leave nothing of ReLUs near the end of a
network that adds to an interpolation: of six seeds five stayed at that interpolation for good.
"""


def warm_up(iteration: int, iterations: int) -> float:
    """The factor of the learning rate at an iteration, counted from 0, of so many: rises to 1 and stays there."""
    return min(1.0, (iteration + 1) / (min(WARM_UP, iterations // 6) + 1))


BETAS, EPSILON = (0.9, 0.99), 1e-8
"""Of Adam (the authors' code)."""


class Trainer:
    """What is the same for every method: each player's optimiser and scaler, and the moving average of the weights.

    Attributes:
        method: on the device, channels last, in training mode.
        average: the moving average of the weights that predict.
    """

    def __init__(
        self,
        method: Method,
        *,
        learning_rate: float,
        device: torch.device,
        precision: str,
        clip: float | None = None,
        ema_decay: float = 0.999,
        compile: bool = False,
    ) -> None:
        """Move a method to its device and give each of its players an optimiser.

        Args:
            method: as it was built or loaded.
            learning_rate: learning rate, until :meth:`set_lr`.
            device: where to compute.
            precision: ``bf16``, ``fp16`` or ``fp32``; losses are summed and weights kept in fp32.
            clip: largest norm of a player's gradient; None clips nothing.
            ema_decay: of the moving average; 0 switches it off.
            compile: whether the networks go through ``torch.compile``.
        """
        self.method = method.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.device, self.precision, self.clip = device, precision, clip
        self.average = WeightAverage(method, ema_decay)
        self._weights = {player: list(method.get_submodule(player).parameters()) for player in method.players}
        self._optimizers = {
            player: torch.optim.Adam(weights, lr=learning_rate, betas=BETAS, eps=EPSILON, amsgrad=True)
            for player, weights in self._weights.items()
        }
        self._scalers = {
            player: torch.amp.GradScaler(device.type, enabled=precision == "fp16") for player in self._weights
        }
        if compile:
            _compile_networks(method)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Give all players one learning rate."""
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate

    def play(self, batch: Batch, iteration: int) -> dict[str, float]:
        """Play one iteration: every turn of the method, each followed by a step of its player.

        Args:
            batch: slabs of both cohorts, on any device.
            iteration: iterations that were played before.
        Returns: the losses, named ``player.loss``; one of them not finite means that the weights are spoilt.
        """
        losses: dict[str, Tensor] = {}
        turns = self.method.turns(batch.to(self.device))
        while (turn := self._next_turn(turns)) is not None:
            player, terms = turn
            self._step(player, sum(terms.values(), torch.zeros((), device=self.device)))
            losses |= {f"{player}.{name}": loss.detach().float() for name, loss in terms.items()}
        self.average.update(iteration)
        # One transfer for all: each would wait for the device.
        return dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Weights, averages, optimisers and scalers, under the names that a checkpoint has for them."""
        return {
            "weights": self.method.state_dict(),
            "averaged": self.average.state_dict(),
            "optimizers": {player: optimizer.state_dict() for player, optimizer in self._optimizers.items()},
            "scaler": {player: scaler.state_dict() for player, scaler in self._scalers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The way back from :meth:`state_dict`; a scaler of another precision begins anew."""
        self.method.load_state_dict(state["weights"])
        self.average.load_state_dict(state["averaged"])
        for player, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
        for player, scaler in self._scalers.items():
            if scaler.is_enabled() and state["scaler"][player]:
                scaler.load_state_dict(state["scaler"][player])

    def is_finite(self) -> bool:
        """Whether every weight and average is a finite number."""
        tensors = [*self.method.state_dict().values(), *self.average.state_dict().values()]
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)

    def _next_turn(self, turns: Any) -> tuple[str, dict[str, Tensor]] | None:
        """Resume the method; only its own computing is autocast, backward is not."""
        with autocast(self.device, self.precision):
            return next(turns, None)

    def _step(self, player: str, loss: Tensor) -> None:
        optimizer, scaler = self._optimizers[player], self._scalers[player]
        self.method.zero_grad(set_to_none=True)  # of all: a loss may have reached networks of other players
        scaler.scale(loss).backward()
        if self.clip is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._weights[player], self.clip)
        scaler.step(optimizer)
        scaler.update()


def _compile_networks(module: nn.Module) -> None:
    """Compile each network in place; a submodule without a forward of its own only holds networks."""
    for child in module.children():
        if type(child).forward is nn.Module.forward:
            _compile_networks(child)
        else:
            child.compile()
