import pytest
import torch
from torch import nn

from udeansr.networks.encoder import Encoder

FACTORS = [(1, 1), (2, 2), (3, 3), (4, 4), (2, 1), (1, 3), (4, 2), (5, 1), (8, 6)]


def test_six_convolutions_with_leaky_relu_between_them():
    layers = list(Encoder(3, 8, (2, 2)).layers)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.LeakyReLU] * 5 + [nn.Conv2d]
    assert all(layer.negative_slope == 0.2 for layer in layers[1::2])
    assert [layer.stride for layer in layers[::2]] == [(2, 2)] + [(1, 1)] * 5
    assert all(layer.kernel_size == (3, 3) and layer.bias is not None for layer in layers[::2])


@pytest.mark.parametrize("factors", FACTORS)
def test_features_lie_on_the_lr_grid(factors):
    slab = torch.rand(2, 3, 7 * factors[0], 5 * factors[1])
    assert Encoder(3, 4, factors)(slab).shape == (2, 4, 7, 5)


@pytest.mark.parametrize("factors", FACTORS)
def test_every_voxel_counts(factors):
    torch.manual_seed(1)
    slab = torch.rand(1, 2, 4 * factors[0], 4 * factors[1], requires_grad=True)
    Encoder(2, 4, factors)(slab).square().sum().backward()
    assert slab.grad is not None
    assert (slab.grad != 0).all()


def test_weights_of_the_paper():
    with torch.device("meta"):
        lr, hr = Encoder(3, 64), Encoder(6, 64, (2, 2))
    assert sum(p.numel() for p in lr.parameters()) == 186_432
    assert sum(p.numel() for p in hr.parameters()) == 188_160
