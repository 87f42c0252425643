import pytest
import torch

from udeansr.networks.decoder import Decoder


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (3, 3), (4, 4), (2, 1), (4, 3)])
@pytest.mark.parametrize("sides", [(8, 12), (5, 4), (17, 30)])
def test_a_slab_of_any_size_on_its_grid(factors, sides):
    slab = Decoder(6, 8, 1, 1, (8, 12), factors)(torch.rand(2, 8, *sides))
    assert slab.shape == (2, 6, sides[0] * factors[0], sides[1] * factors[1])


def test_nothing_bounds_the_output():
    torch.manual_seed(1)
    slab = Decoder(3, 8, 1, 1, (8, 8))(10 * torch.randn(1, 8, 8, 8))
    assert slab.min() < -0.5
    assert slab.max() > 0.5


def test_weights_of_the_paper():
    with torch.device("meta"):
        lr, sr = Decoder(3, 64, 5, 5, (64, 64)), Decoder(6, 64, 5, 5, (64, 64), (2, 2))
    assert sum(p.numel() for p in lr.parameters()) == 2_121_127
    assert sum(p.numel() for p in sr.parameters()) == 2_270_570
