import numpy as np
import pytest
import torch

from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.networks.anchor import stretch
from udeansr.networks.residual_network import ResidualNetwork


@pytest.mark.parametrize("factor", [2, 3, 7])
def test_of_planes_it_begins_as_cubic_interpolation_of_their_rows(factor):
    planes = torch.rand(2, 1, 9, 5)
    made = ResidualNetwork((1, factor, 1), features=4, blocks=2)(planes)
    expected = tricubic(planes[:, 0].numpy(), Scale(1, factor, 1))
    inner = slice(2 * factor, -2 * factor)  # beyond the ends the one repeats the last row, the other leaves it out
    assert np.allclose(made[:, 0, inner].detach().numpy(), expected[:, inner], atol=1e-6)


@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 2, 2), (1, 3, 1), (3, 1, 2)])
def test_it_begins_as_interpolation_of_a_slab_and_can_leave_it(factors):
    network = ResidualNetwork(factors, features=4, blocks=2, slices=3, extra=2)
    slab = torch.rand(3, 5, 6, 7)
    with torch.no_grad():
        made = network(slab)
        assert made.shape == (3, 3 * factors[0], 6 * factors[1], 7 * factors[2])
        assert torch.equal(made, stretch(slab[:, :3], 3 * factors[0], factors[1:]))
    network(slab).square().sum().backward()
    assert network.last.weight.grad is not None and network.last.weight.grad.abs().max() > 0


def test_it_is_float32_under_autocast_and_takes_any_slab():
    network = ResidualNetwork((1, 3, 1), features=4, blocks=1)
    with torch.autocast("cpu", torch.bfloat16):
        for rows, columns in ((1, 1), (5, 9)):
            made = network(torch.rand(2, 1, rows, columns))
            assert made.shape == (2, 1, 3 * rows, columns) and made.dtype == torch.float32
