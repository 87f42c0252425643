from collections.abc import Callable

import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.image.grid import Scale
from udeansr.planning.plan import Configuration


def _configuration(scale: str = "x2x2x2", **values) -> Configuration:
    numbers = {
        "lr_spacing_mm": (2.0, 2.0, 2.0),
        "hr_spacing_mm": (1.0, 1.0, 1.0),
        "slab_slices": 3,
        "patch_size": (16, 24),
        "turns": False,
        "batch_size": 2,
        "features": 8,
        "groups": 1,
        "blocks": 1,
        "discriminator_features": 2,
        "epochs": 1,
        "iterations_per_epoch": 1,
    }
    return Configuration(name=scale, scale=scale, **{**numbers, **values})


@pytest.fixture
def configuration() -> Callable[..., Configuration]:
    """A maker of tiny configurations; every value can be given."""
    return _configuration


@pytest.fixture
def batch() -> Callable[[Configuration], Batch]:
    """A maker of batches of noise as a configuration wants them."""

    def make(configuration: Configuration) -> Batch:
        generator = torch.Generator().manual_seed(3)
        slices, (y, x) = configuration.slab_slices, configuration.patch_size
        scale: Scale = configuration.factors
        hr = torch.rand(configuration.batch_size, slices * scale.z, y * scale.y, x * scale.x, generator=generator)
        lr, degraded = torch.rand(2, configuration.batch_size, slices, y, x, generator=generator)
        return Batch(hr=hr, lr=lr, degraded=degraded)

    return make
