from collections.abc import Callable

import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.image.grid import Scale
from udeansr.methods.method import Method
from udeansr.planning.configuration import Configuration


@pytest.fixture
def configuration(tiny_configuration: Callable[..., Configuration]) -> Callable[..., Configuration]:
    """A maker of tiny configurations; every value can be given."""
    return tiny_configuration


@pytest.fixture
def batch() -> Callable[[Configuration], Batch]:
    """A maker of batches of noise as a configuration wants them."""

    def make(configuration: Configuration) -> Batch:
        generator = torch.Generator().manual_seed(3)
        slices, (y, x) = configuration.task.slab_slices, configuration.size.patch_size
        scale: Scale = configuration.task.factors
        hr = torch.rand(configuration.size.batch_size, slices * scale.z, y * scale.y, x * scale.x, generator=generator)
        lr, degraded = torch.rand(2, configuration.size.batch_size, slices, y, x, generator=generator)
        return Batch(hr=hr, lr=lr, degraded=degraded)

    return make


@pytest.fixture
def learn() -> Callable[..., Method]:
    """Plays a method on one batch with plain optimisers; gives it back."""

    def play(method: Method, data: Batch, steps: int = 5, lr: float = 1e-3) -> Method:
        optimisers = {name: torch.optim.Adam(method.get_submodule(name).parameters(), lr) for name in method.players}
        for _ in range(steps):
            for player, losses in method.turns(data):
                method.zero_grad(set_to_none=True)
                torch.stack(list(losses.values())).sum().backward()
                optimisers[player].step()
        return method

    return play
