from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from udeansr.image.volume import Geometry, Volume
from udeansr.methods import build_method, parse_settings
from udeansr.planning.plan import Configuration, Plan
from udeansr.prediction import bundled
from udeansr.prediction.export import ExportWish, export_model
from udeansr.training.checkpoint import save_checkpoint

GRID = Geometry((6, 9, 8), (4.0, 2.0, 2.0), (3.0, -4.0, 5.0))


def plan_for(spacing_mm: tuple[float, float, float], orientation: str, scale: str, lr_gain: float = 1.0) -> Plan:
    factors = (int(scale[5]), int(scale[3]), int(scale[1]))
    z, y, x = (mm / factor for mm, factor in zip(spacing_mm, factors, strict=True))
    configuration = Configuration(
        name=scale,
        scale=scale,
        lr_spacing_mm=spacing_mm,
        hr_spacing_mm=(z, y, x),
        slab_slices=3,
        patch_size=(8, 8),
        turns=False,
        batch_size=2,
        features=4,
        groups=1,
        blocks=1,
        discriminator_features=4,
        epochs=1,
        iterations_per_epoch=1,
    )
    return Plan("Dataset007_Tiny", orientation, lr_gain, {scale: configuration})


@pytest.fixture(name="plan_for")
def plan_for_fixture() -> Callable[..., Plan]:
    """Makes the plan of a tiny model."""
    return plan_for


@pytest.fixture
def train() -> Callable[..., Path]:
    """Writes the checkpoint of a tiny, untrained UDEAN and gives its path."""

    def write(
        path: Path,
        spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0),
        orientation: str = "SPL",
        scale: str = "x2x2x2",
        **changed: object,
    ) -> Path:
        plan = plan_for(spacing_mm, orientation, scale)
        settings = parse_settings("udean", [])
        torch.manual_seed(1)
        method = build_method("udean", plan.configuration(scale), settings)
        weights = method.state_dict()
        averaged = {name: tensor + 0.01 for name, tensor in weights.items() if name.startswith("generators.")}
        state = {
            "plan": plan.as_dict(),
            "configuration": scale,
            "method": "udean",
            "settings": asdict(settings),
            "run": {},
            "weights": weights,
            "averaged": averaged,
            "optimizers": {},
            "scaler": {},
            "schedule": {},
            "random": {},
            "progress": {},
            **changed,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path, state)
        return path

    return write


@pytest.fixture
def portable(train, tmp_path, monkeypatch) -> Callable[..., Path]:
    """Writes a tiny model file, by default among the bundled ones, of which there are no others; gives its path."""
    monkeypatch.setattr(bundled, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("UDEANSR_MODELS", str(tmp_path / "imported"))

    def write(
        name: str = "tiny-t1w-x2x2x2", contrast: str = "T1w", folder: str = "bundled", half: bool = True, **changed: Any
    ) -> Path:
        training = train(tmp_path / "trained" / f"{name}.pt", **changed)
        path = tmp_path / folder / f"{name}.zip"
        export_model(training, path, ExportWish(name=name, contrast=contrast, half=half))
        return path

    return write


@pytest.fixture
def lr() -> Volume:
    rng = np.random.default_rng(5)
    return Volume(rng.integers(0, 900, GRID.shape).astype(np.int16), GRID)
