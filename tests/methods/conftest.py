from collections.abc import Callable

import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.image.grid import Scale
from udeansr.planning.plan import Configuration


@pytest.fixture
def configuration(tiny_configuration: Callable[..., Configuration]) -> Callable[..., Configuration]:
    """A maker of tiny configurations; every value can be given."""
    return tiny_configuration


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
