"""One iteration of any method: backward, clip, step, moving average; the schedule of the learning rate."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from udeansr import distributed
from udeansr.batches.batch import Batch
from udeansr.device import autocast, half_precision
from udeansr.methods.method import Method
from udeansr.training.compilation import compile_networks, uncompiled
from udeansr.training.half_weights import HalfWeights
from udeansr.training.weight_average import WeightAverage

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

MOMENTS = {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
"""Of a gradient, as Adam keeps them under AMSGrad."""

FUSED = ("cpu", "cuda")
"""Devices on which all weights are stepped in one call."""


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
            learning_rate: learning rate, until :meth:`set_learning_rate`.
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
            player: torch.optim.Adam(
                weights, lr=learning_rate, betas=BETAS, eps=EPSILON, amsgrad=True, fused=device.type in FUSED
            )
            for player, weights in self._weights.items()
        }
        self._scalers = {
            player: torch.amp.GradScaler(device.type, enabled=precision == "fp16") for player in self._weights
        }
        half = half_precision(precision)
        self._halves = None if half is None else HalfWeights(self.method, self._weights, half)
        self._compiled = compile
        if compile:
            compile_networks(method)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Give all players one learning rate."""
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate

    def play(self, batch: Batch, iteration: int) -> dict[str, Tensor]:
        """Play one iteration: every turn of the method, each followed by a step of its player.

        Nothing in it waits for the device.

        Args:
            batch: slabs of both cohorts, on any device; of several processes this one's share.
            iteration: iterations that were played before.
        Returns: the losses, one number each, means over all processes, on the device, named ``player.loss``; one of
            them not finite means that the weights are spoilt.
        """
        losses: dict[str, Tensor] = {}
        with nullcontext() if self._halves is None else self._halves.in_place():
            turns = self.method.turns(batch.to(self.device))
            while (turn := self._next_turn(turns)) is not None:
                player, terms = turn
                self._step(player, torch.stack([loss.float() for loss in terms.values()]).sum())
                losses |= {f"{player}.{name}": loss.detach().float() for name, loss in terms.items()}
        self.average.update(iteration)
        if distributed.size() > 1 and losses:
            losses = dict(zip(losses, distributed.average(torch.stack(list(losses.values()))), strict=True))
        return losses

    @contextmanager
    def averaged(self) -> Iterator[Method]:
        """The method with its averaged weights for a while, for whole volumes: nothing is compiled for their shapes."""
        with self.average.in_place() as method, uncompiled() if self._compiled else nullcontext():
            yield method

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
            optimizer.load_state_dict(self._as_here(optimizer, state["optimizers"][player]))
            _check_state(optimizer)
        for player, scaler in self._scalers.items():
            if scaler.is_enabled() and state["scaler"][player]:
                scaler.load_state_dict(state["scaler"][player])

    def is_finite(self) -> bool:
        """Whether every weight and average is a finite number."""
        tensors = [*self.method.state_dict().values(), *self.average.state_dict().values()]
        return not tensors or bool(torch.stack([torch.isfinite(tensor).all() for tensor in tensors]).all())

    def _next_turn(self, turns: Any) -> tuple[str, dict[str, Tensor]] | None:
        """Resume the method; only its own computing is autocast, backward is not."""
        with autocast(self.device, self.precision):
            return next(turns, None)

    def _step(self, player: str, loss: Tensor) -> None:
        optimizer, scaler = self._optimizers[player], self._scalers[player]
        self.method.zero_grad(set_to_none=True)  # of all: a loss may have reached networks of other players
        scaler.scale(loss).backward()
        if self._halves is not None:
            self._halves.return_gradients(player)
        distributed.average_gradients(self._weights[player])
        if self.clip is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._weights[player], self.clip, foreach=self.device.type in FUSED)
        scaler.step(optimizer)
        scaler.update()
        if self._halves is not None:
            self._halves.renew(player)

    def _as_here(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        """The state of an optimiser, which may come from another device, stepped as it is done here."""
        groups = zip(optimizer.param_groups, state["param_groups"], strict=True)
        own = [{**group, "lr": former["lr"], "params": former["params"]} for group, former in groups]
        return {**state, "param_groups": own}


def _check_state(optimizer: torch.optim.Optimizer) -> None:
    """Refuse moments of gradients that are not finite, or not of the shapes of their weights, by a ValueError."""
    for weight, moments in optimizer.state.items():
        if set(moments) != MOMENTS:
            raise ValueError(f"moments {sorted(moments)}; expected {sorted(MOMENTS)}")
        for name, moment in moments.items():
            shape = torch.Size([]) if name == "step" else weight.shape
            if not isinstance(moment, Tensor) or moment.shape != shape or not moment.isfinite().all():
                raise ValueError(f"{name} of a weight of shape {tuple(weight.shape)} is broken")
