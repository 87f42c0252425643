"""Several trained models as one: SR is the mean of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.methods.method import Method
from udeansr.methods.settings import NoSettings
from udeansr.models.model import Model
from udeansr.strict_json import as_json, differences


class Ensemble(Method):
    """The mean of the SR of trained methods that take the same slabs."""

    name = "ensemble"
    settings_type = NoSettings
    players = averaged = ("members",)

    def __init__(self, members: Sequence[Method]) -> None:
        """Take the methods over, ready as they are.

        Args:
            members: of one task, with one margin; the first says what an LR volume becomes as the networks' input.
        """
        first = members[0]
        super().__init__(first.configuration, NoSettings())
        self.members = nn.ModuleList(members)
        self.slab_slices, self.margin_slices, self.domain = first.slab_slices, first.margin_slices, first.domain
        self.eval()

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Nothing: its members are trained already."""
        raise ValueError("an ensemble is not trained; train its members")

    def super_resolve(self, lr: Tensor) -> Tensor:
        """(B, slices, Y, X) LR -> the mean of the members' (B, slices * sz, Y * sy, X * sx) SR."""
        return torch.stack([member.super_resolve(lr) for member in self.members]).mean(0)  # type: ignore[operator]

    def network_input(self, lr: np.ndarray) -> np.ndarray:
        """As its members want it."""
        return self.members[0].network_input(lr)  # type: ignore[operator]

    @property
    def slice_thickness(self) -> float | None:
        """As its members are told."""
        return self.members[0].slice_thickness  # type: ignore[return-value]


def ensemble(models: Sequence[Model]) -> Model:
    """The models as one, which predicts the mean of what they predict.

    Args:
        models: as :func:`udeansr.models.model.load_model` gives them, at least two, on one device.
    Raises:
        UdeansrError: if one learns in prediction or from nothing, or two were made for different slabs, naming what
            differs.
    """
    first = models[0]
    for model in models:
        if model.configuration is None or model.method.is_zero_shot or not model.method.players:
            raise UdeansrError(f"{model.label}: learns in prediction or not at all; an ensemble is of trained models")
        if unlike := _differences(first, model):
            raise UdeansrError(
                f"{model.file}: made for other slabs than {first.file} ({', '.join(unlike)}); an ensemble is of "
                "models of one configuration, trained with several seeds or settings"
            )
    names = ", ".join(str(model.file) for model in models)
    return replace(
        first, method=Ensemble([model.method for model in models]), name=f"ensemble of {names}", file=None,
        calibration=None,
    )  # fmt: skip


def _differences(one: Model, other: Model) -> list[str]:
    """What decides the slabs, the intensities and the grid, and is not the same in two models."""

    def facts(model: Model) -> dict:
        assert model.plan is not None and model.configuration is not None
        method, plan = model.method, model.plan
        slabs = {"margin_slices": method.margin_slices, "slab_slices": method.slab_slices}
        return {"orientation": plan.orientation, "lr_gain": plan.lr_gain, **slabs, **as_json(model.configuration.task)}

    return [str(difference) for difference in differences(facts(one), facts(other))]
