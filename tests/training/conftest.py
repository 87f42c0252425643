from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from udeansr.batches.batch import Batch
from udeansr.image.volume import Geometry
from udeansr.methods import METHODS, parse_settings
from udeansr.methods.method import Method, frozen
from udeansr.paths import SOURCE_HR
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.preprocessing.case_folder import CaseRecord, write_case
from udeansr.preprocessing.preprocessed_dataset import COMPLETE_FILE, planned_values
from udeansr.training.checkpoint import load_checkpoint
from udeansr.training.train import RunSettings, train

LR_SHAPE = (6, 16, 16)
MEASURED = ("seconds", "memory_gb")
"""What no second training has alike."""


@dataclass(frozen=True)
class TinySettings:
    weight: float = 1.0


class Tiny(Method):
    """Two players of one convolution each, and some randomness, so that random states count."""

    name = "tiny"
    settings_type = TinySettings
    players = ("generators", "discriminators")
    averaged = ("generators",)

    def __init__(self, configuration: Configuration, settings: TinySettings) -> None:
        super().__init__(configuration, settings)
        lr, hr = configuration.task.slab_slices, configuration.task.slab_slices * self.scale.z
        self.generators = nn.ModuleDict(
            {"up": nn.Conv2d(lr, hr, 3, padding=1), "down": nn.Conv2d(hr, lr, 3, padding=1)}
        )
        self.discriminators = nn.Sequential(nn.Conv2d(hr, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 3))

    def turns(self, batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        made = self.super_resolve(self.degrade(batch.hr) + 0.01 * torch.randn_like(batch.lr))
        with frozen(self.discriminators):
            generator_loss = (self.discriminators(made) - 1).square().mean()
            yield (
                "generators",
                {"l1": self.settings.weight * (made - batch.hr).abs().mean(), "adversarial": 0.1 * generator_loss},
            )
        yield (
            "discriminators",
            {
                "loss": (self.discriminators(batch.hr) - 1).square().mean()
                + self.discriminators(made.detach()).square().mean()
            },
        )

    def super_resolve(self, lr: Tensor) -> Tensor:
        return interpolate(self.generators["up"](lr), scale_factor=(self.scale.y, self.scale.x))

    def degrade(self, hr: Tensor) -> Tensor:
        return self.generators["down"](avg_pool2d(hr, (self.scale.y, self.scale.x)))


@pytest.fixture
def batch() -> Batch:
    """Two slabs of noise of each cohort, as the tiny configuration wants them."""
    generator = torch.Generator().manual_seed(1)
    return Batch(torch.rand(2, 6, 16, 16, generator=generator), torch.rand(2, 3, 8, 8, generator=generator))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> type[Tiny]:
    """The method, known by its name."""
    monkeypatch.setitem(METHODS, "tiny", Tiny)
    return Tiny


@pytest.fixture
def plan(tiny_configuration: Callable[..., Configuration]) -> Plan:
    configuration = tiny_configuration(
        patch_size=(8, 8), rotate90=True, discriminator_features=4, epochs=2, iterations_per_epoch=3
    )
    return Plan("Dataset001_Tiny", "SPL", 1.0, {"x2x2x2": configuration})


@pytest.fixture
def configuration(plan: Plan) -> Configuration:
    return plan.configuration("x2x2x2")


@pytest.fixture
def make_dataset(tmp_path: Path, plan: Plan) -> Callable[..., Path]:
    """Writes a preprocessed dataset of smooth volumes; returns its folder."""

    def make(subjects: int = 3, pairs: int = 1) -> Path:
        folder = tmp_path / "preprocessed" / plan.dataset
        own = folder / "x2x2x2"
        rng = np.random.default_rng(7)
        for group, count in (("sourceHR", subjects), ("targetLR", subjects)):
            for number in range(count):
                hr = smooth_volume(rng)
                _write(own / group / f"{group}_{number}", hr if group == "sourceHR" else halved(hr))
        for number in range(pairs):
            hr = smooth_volume(rng)
            _write(own / "validationHR" / f"pair_{number}", hr)
            _write(own / "validationLR" / f"pair_{number}", halved(hr))
        plan.save(folder / "plans.json")
        values = planned_values(plan, plan.configuration("x2x2x2"))
        (own / COMPLETE_FILE).write_text(json.dumps(values))
        return folder

    return make


@pytest.fixture
def dataset_folder(make_dataset: Callable[..., Path]) -> Path:
    return make_dataset()


@pytest.fixture
def longer(plan: Plan) -> Callable[..., Plan]:
    """The plan with other values."""
    return lambda **values: replace(plan, configurations={"x2x2x2": plan.configuration("x2x2x2").changed(**values)})


def smooth_volume(rng: np.random.Generator) -> np.ndarray:
    """An HR volume of waves that an LR volume can hold, positive, peak near 1."""
    grids = np.meshgrid(*(np.arange(2 * n) / (2 * n) for n in LR_SHAPE), indexing="ij")
    waves = sum(np.sin(2 * np.pi * (k * grid + rng.random())) for k, grid in enumerate(grids, start=1))
    return (0.5 + waves / 6 + 0.02 * rng.standard_normal(grids[0].shape)).astype(np.float32)


def halved(hr: np.ndarray) -> np.ndarray:
    z, y, x = (n // 2 for n in hr.shape)
    return hr.reshape(z, 2, y, 2, x, 2).mean((1, 3, 5), dtype=np.float32)


def _write(folder: Path, voxels: np.ndarray) -> None:
    geometry = Geometry(voxels.shape, (1.0, 1.0, 1.0))
    record = CaseRecord(geometry, 1.0, 1.0)
    degraded = halved(voxels) if folder.parent.name == SOURCE_HR else None
    write_case(folder, voxels, np.argwhere(voxels > 0.2), record, degraded)


@pytest.fixture
def run_tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Trains on the CPU in fp32; draws no pictures unless asked, since they would take most of the time."""

    def run(
        folder: Path, plan: Plan, output: Path, mode: str = "new", method: str = "tiny", pictures=False, **flags
    ) -> Path:
        if not pictures:
            monkeypatch.setattr("udeansr.training.log.draw_progress", lambda history, path: None)
        run_settings = RunSettings(**{"device": "cpu", "precision": "fp32", **flags})
        return train(folder, plan, "x2x2x2", method, parse_settings(method, []), run_settings, output, mode)

    return run


@pytest.fixture
def assert_same() -> Callable[..., None]:
    """Holds two checkpoints to be the same bit for bit, in some of their parts or in all but the time they took."""

    def compare(one: Path, other: Path, *parts: str) -> None:
        states = [load_checkpoint(path) for path in (one, other)]
        for state in states:
            del state["progress"]["seconds"]
        for part in parts or states[0]:
            _assert_equal(*(state[part] for state in states), f"{one.name} {part}")

    return compare


@pytest.fixture
def metrics() -> Callable[[Path], list[dict]]:
    """Reads the epochs of ``metrics.jsonl`` without what was measured of time and memory."""

    def read(folder: Path) -> list[dict]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return [{key: value for key, value in json.loads(line).items() if key not in MEASURED} for line in lines]

    return read


def _assert_equal(one, other, path: str) -> None:
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key, value in one.items():
            _assert_equal(value, other[key], f"{path}/{key}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path
