"""Losses that wait on the device until they are read, many iterations at once: each reading waits for the device."""

from __future__ import annotations

import time

import torch
from torch import Tensor

SECONDS_BETWEEN = 1.0
"""After which losses are read: a person sees no difference, a device is not waited for."""


class LossReader:
    """Takes the losses of iterations; gives them back as numbers, in order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, tuple[str, ...], Tensor]] = []
        self._last_read = time.monotonic()

    def add(self, iteration: int, losses: dict[str, Tensor]) -> None:
        """Keep the losses of an iteration.

        Args:
            iteration: its number.
            losses: one number each, on one device, by name.
        """
        if losses:
            self._waiting.append((iteration, tuple(losses), torch.stack(list(losses.values()))))

    def is_due(self) -> bool:
        """Whether the last reading was long enough ago."""
        return time.monotonic() - self._last_read >= SECONDS_BETWEEN

    def read(self) -> list[tuple[int, dict[str, float]]]:
        """All that was added since the last reading: number of the iteration, losses by name."""
        self._last_read = time.monotonic()
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        numbers = iter(torch.cat([losses for _, _, losses in waiting]).tolist())  # one transfer for all
        return [(iteration, {name: next(numbers) for name in names}) for iteration, names, _ in waiting]
