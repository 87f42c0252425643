import numpy as np
import pytest
import torch

from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.networks.plane_network import PlaneNetwork, cubic_rows, interleave_rows


@pytest.mark.parametrize("factor", [2, 3, 7])
def test_cubic_rows_are_those_of_tricubic(factor):
    planes = torch.rand(2, 1, 9, 5)
    expected = tricubic(planes[:, 0].numpy(), Scale(1, factor, 1))
    assert np.allclose(cubic_rows(planes, factor)[:, 0].numpy(), expected, atol=1e-6)


def test_rows_are_interleaved_by_their_phase():
    features = torch.arange(2 * 3 * 2 * 1).reshape(1, 6, 2, 1)
    assert interleave_rows(features, 3)[0, :, :, 0].tolist() == [[0, 2, 4, 1, 3, 5], [6, 8, 10, 7, 9, 11]]


@pytest.mark.parametrize("factor", [2, 3])
def test_it_begins_as_cubic_interpolation_and_can_leave_it(factor):
    network = PlaneNetwork(factor, features=4, blocks=2)
    planes = torch.rand(3, 1, 6, 7)
    with torch.no_grad():
        assert torch.equal(network(planes), cubic_rows(planes, factor))
    network(planes).square().sum().backward()
    assert network.last.weight.grad is not None and network.last.weight.grad.abs().max() > 0


def test_it_is_float32_under_autocast_and_takes_any_plane():
    network = PlaneNetwork(3, features=4, blocks=1)
    with torch.autocast("cpu", torch.bfloat16):
        for rows, columns in ((1, 1), (5, 9)):
            made = network(torch.rand(2, 1, rows, columns))
            assert made.shape == (2, 1, 3 * rows, columns) and made.dtype == torch.float32
