"""The step of a training as a textbook writes it, to hold the trainer's own against."""

from __future__ import annotations

import torch
from torch import Tensor

from udeansr.batches.batch import Batch
from udeansr.device import half_precision
from udeansr.methods.method import Method
from udeansr.training.settings import RunSettings
from udeansr.training.trainer import BETAS, EPSILON


class PlainTrainer:
    """What :class:`udeansr.training.trainer.Trainer` computes, without what makes it faster.

    Channels are the second axis in memory, each weight is stepped and averaged alone, autocast casts each weight, and
    the losses are read in each iteration.

    Attributes:
        method: on the device, in training mode.
    """

    def __init__(self, method: Method, run: RunSettings, device: torch.device, precision: str) -> None:
        """Move a method to its device and give each of its players an optimiser.

        Args:
            method: as it was built.
            run: resolved.
            device: where to compute.
            precision: ``bf16``, ``fp16`` or ``fp32``.
        """
        assert run.learning_rate is not None and run.ema_decay is not None, "settings are not resolved"
        self.method, self._device, self._decay = method.to(device).train(), device, run.ema_decay
        self._clip, self._half = run.clip, half_precision(precision)
        self._weights = {player: list(method.get_submodule(player).parameters()) for player in method.players}
        self._optimizers = {
            player: torch.optim.Adam(
                weights, lr=run.learning_rate, betas=BETAS, eps=EPSILON, amsgrad=True, foreach=False, fused=False
            )
            for player, weights in self._weights.items()
        }
        self._scalers = {
            player: torch.amp.GradScaler(device.type, enabled=precision == "fp16") for player in self._weights
        }
        averaged = [method.get_submodule(part) for part in method.averaged]
        self._averages = [(weight.detach().clone(), weight) for part in averaged for weight in part.parameters()]

    def play(self, batch: Batch, iteration: int) -> dict[str, float]:
        """Play one iteration: every turn of the method, each followed by a step of its player.

        Args:
            batch: slabs of both cohorts, on any device.
            iteration: iterations that were played before; nothing hangs on it.
        Returns: the losses.
        """
        slabs = {name: None if one is None else one.to(self._device).contiguous() for name, one in vars(batch).items()}
        losses: dict[str, float] = {}
        turns = self.method.turns(Batch(**slabs))  # type: ignore[arg-type]
        while True:
            with torch.autocast(self._device.type, dtype=self._half, enabled=self._half is not None):
                turn = next(turns, None)
            if turn is None:
                break
            player, terms = turn
            self._step(player, torch.stack([loss.float() for loss in terms.values()]).sum())
            losses |= {f"{player}.{name}": loss.item() for name, loss in terms.items()}
        self._average()
        return losses

    def _step(self, player: str, loss: Tensor) -> None:
        optimizer, scaler = self._optimizers[player], self._scalers[player]
        self.method.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        if self._clip is not None:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(self._weights[player], self._clip, foreach=False)
        scaler.step(optimizer)
        scaler.update()

    @torch.no_grad()
    def _average(self) -> None:
        for average, weight in self._averages:
            average.lerp_(weight, 1 - self._decay)
