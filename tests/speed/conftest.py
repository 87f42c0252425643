"""A tiny dataset, and a method whose FLOP can be counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import Tensor, nn
from torch.nn.functional import interpolate

from udeansr.batches.batch import Batch
from udeansr.methods import METHODS
from udeansr.methods.method import Method
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan


@dataclass(frozen=True)
class OneConvolutionSettings:
    weight: float = 1.0


class OneConvolution(Method):
    """One 3 x 3 convolution of 3 to 3 slices on the HR grid, behind an interpolation that nothing is learnt of."""

    name = "one_convolution"
    settings_type = OneConvolutionSettings
    players = ("generators",)
    averaged = ("generators",)

    def __init__(self, configuration: Configuration, settings: OneConvolutionSettings) -> None:
        super().__init__(configuration, settings)
        self.generators = nn.Conv2d(3, 3, 3, padding=1)

    def super_resolve(self, lr: Tensor) -> Tensor:
        return self.generators(interpolate(lr, scale_factor=(self.scale.y, self.scale.x)))

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        yield "generators", {"l1": self.settings.weight * (self.super_resolve(batch.lr) - batch.hr).abs().mean()}


@pytest.fixture
def one_convolution(monkeypatch: pytest.MonkeyPatch) -> type[OneConvolution]:
    """The method, known by its name."""
    monkeypatch.setitem(METHODS, "one_convolution", OneConvolution)
    return OneConvolution


@pytest.fixture
def plan(tiny_configuration) -> Plan:
    """Patches of 8 x 8 LR voxels, two in a batch, x2x2x1."""
    configuration = tiny_configuration(
        "x2x2x1", patch_size=(8, 8), rotate90=True, discriminator_features=4, epochs=3, iterations_per_epoch=5
    )
    return Plan("Dataset001_Tiny", "SPL", 1.0, {"x2x2x1": configuration})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: Plan, tiny_dataset) -> Path:
    """The dataset, preprocessed, in the default root of the current folder."""
    monkeypatch.chdir(tmp_path)
    return tiny_dataset(plan)
