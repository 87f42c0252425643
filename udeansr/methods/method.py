"""What a method promises the trainer and prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.degradation.measured_degradation import with_deconvolved
from udeansr.errors import UdeansrError
from udeansr.networks.discriminator import Discriminator
from udeansr.planning.configuration import Configuration
from udeansr.planning.domain import Domain


class Method(nn.Module, ABC):
    """Who learns what from a batch, and how an LR slab becomes an SR slab.

    A method is built from a configuration of the plan (the data's numbers) and its own settings (a frozen dataclass).

    Attributes:
        name: its key in ``METHODS``.
        scale: of slabs: the factors along (slab axis, rows, columns).
        settings_type: the frozen dataclass of its settings, with a default for each.
        players: names of submodules; the trainer gives each an optimiser. Empty: the method learns nothing.
        averaged: names of submodules of which the trainer keeps a moving average, the weights that are used
            in validation and prediction. Holds all that :meth:`super_resolve` and :meth:`degrade` need.
        learning_rate, ema_decay, augment: learning rate of the first epoch, decay of the moving average of the weights
            (0: none), and whether slabs are augmented, each where the run does not say otherwise.
        supports_domain_randomization: whether it can learn from a variety of LR, each beside itself restored
            (:attr:`Configuration.task.deconvolves`); :meth:`super_resolve` is then given (B, 2 * slices, Y, X).
        domain: of the subjects that it learns from; whoever builds a method to learn or to predict sets it.
        is_zero_shot: whether it is trained anew on each volume that is predicted, and on nothing before.
        needs_cohort: whether it learns from the cohorts of a dataset; else from the scans that are predicted, and what
            it learned can be kept.
        uses_degraded: whether :meth:`turns` needs ``batch.degraded``.
        pairs: what ``batch.degraded`` is: ``synthetic``, made of the HR; ``real``, target LR of the HR's name, at its
            place; ``registered``: the same, with the HR moved rigidly onto it first.
        progress: the part of the training that is done, 0 to 1; the trainer sets it before each iteration.
        stage_starts: parts of the training that are done when a stage begins, rising from 0; the learning rate begins
            anew with each.
        slab_slices: LR slices that :meth:`super_resolve` takes at once; None where any number will do,
            so that a volume is given whole.
        margin_slices: of these, the slices at either end that only show what lies beside: :meth:`super_resolve` gives
            something for them that is not meant to be used.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type]
    players: tuple[str, ...] = ()
    averaged: ClassVar[tuple[str, ...]] = ()
    learning_rate: ClassVar[float] = 1e-4
    ema_decay: ClassVar[float] = 0.999
    augment: ClassVar[bool] = True
    is_zero_shot: ClassVar[bool] = False
    needs_cohort: ClassVar[bool] = True
    supports_domain_randomization: ClassVar[bool] = False

    def __init__(self, configuration: Configuration, settings: Any) -> None:
        """Keep the data's numbers and the method's own; subclasses build their networks."""
        super().__init__()
        self.configuration = configuration
        self.settings = settings
        self.scale = configuration.task.slab_factors
        self.slab_slices: int | None = configuration.task.slab_slices
        self.margin_slices = 0
        self.uses_degraded = False
        self.pairs = "synthetic"
        self.domain: Domain | None = None
        self.progress = 0.0
        self.stage_starts: tuple[float, ...] = (0.0,)

    @property
    def stage(self) -> int:
        """Which of the stages the training is in, by its progress; the first is 0."""
        return bisect_right(self.stage_starts, self.progress) - 1

    @property
    def slice_thickness(self) -> float | None:
        """Full width at half maximum of the slice profile over the distance of slices, if the method is told one."""
        return None

    @property
    def output_slices(self) -> int | None:
        """LR slices of a slab whose SR is used; None where a volume is given whole."""
        return None if self.slab_slices is None else self.slab_slices - 2 * self.margin_slices

    def take_margin(self, slices: int) -> None:
        """Answer only for the middle of a slab.

        Raises:
            UdeansrError: if no slice is left.
        """
        if 2 * slices >= self.configuration.task.slab_slices:
            raise UdeansrError(
                f"{self.name}.margin_slices is {slices}, and the slabs of {self.configuration.name} have "
                f"{self.configuration.task.slab_slices} slices: none is left between the margins; expected fewer"
            )
        self.margin_slices = slices

    def crop_margin(self, hr: Tensor) -> Tensor:
        """The slices of an HR slab that are used: (B, slices * sz, Y, X) -> (B, output_slices * sz, Y, X)."""
        margin = self.margin_slices * self.scale.z
        return hr[:, margin : hr.shape[1] - margin]

    @abstractmethod
    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Play one iteration.

        Yields:
            a player's name and its losses by name, each one number, already weighted; the trainer sums them, goes
            backward, steps that player alone and comes back for the next turn.
        """

    @abstractmethod
    def super_resolve(self, lr: Tensor) -> Tensor:
        """(B, slices, Y, X) normalised LR -> (B, slices * sz, Y * sy, X * sx) in the same unit; any Y and X."""

    def network_input(self, lr: np.ndarray) -> np.ndarray:
        """The input of the networks for an LR volume.

        Args:
            lr: (Z, Y, X) normalised.
        Returns: (1, Z, Y, X), the LR; or (2, Z, Y, X), restored by its own measured degradation and as it is.
        """
        if not self.configuration.task.deconvolves or not self.players:
            return lr[None]
        assert self.domain is not None, f"{self.name} restores LR and was given no domain"
        measured = self.domain.measure(lr, self.configuration.task.lr_spacing_mm)
        return with_deconvolved(lr, measured, self.domain.spectrum)

    def degrade(self, hr: Tensor) -> Tensor | None:
        """(B, slices * sz, Y * sy, X * sx) HR -> (B, slices, Y, X) as the target's scanner would give it.

        None where the method learns no degradation.
        """
        return None

    def explanations(self, hr: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """What a person can look at to understand the method, by name; nothing where there is no such thing.

        Args:
            hr: (B, slices * sz, Y * sy, X * sx) source HR.
            lr: (B, slices, Y, X) real LR of other subjects.
        Returns: (B, slices, Y, X) maps on the LR grid, or on the HR grid with its slices; those that are no images,
            but numbers from 0 to 1, are called "... map".
        """
        return {}


def together(network: Callable[[Tensor], Tensor], *slabs: Tensor) -> tuple[Tensor, ...]:
    """Send several batches through a network in one pass.

    It gives each what it would give it alone: generators normalise over no batch, discriminators over each alone.

    Args:
        network: (B, ...) -> (B, ...).
        slabs: of one shape but for B.
    Returns: what it makes of each.
    """
    made = network(torch.cat(slabs), len(slabs)) if isinstance(network, Discriminator) else network(torch.cat(slabs))
    return made.split([len(one) for one in slabs])


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Hold networks fixed: gradients pass through them and leave nothing behind.

    Open it over a ``yield`` of :meth:`Method.turns`, and it covers the backward pass as well.
    """
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
