import math

import pytest
import torch

from udeansr.networks.decoder import Decoder, PixelShuffle, Upsampler, scale_stages


@pytest.mark.parametrize(
    ("factors", "stages"),
    [
        ((1, 1), []),
        ((2, 2), [(2, 2)]),
        ((3, 3), [(3, 3)]),
        ((4, 4), [(2, 2), (2, 2)]),
        ((4, 2), [(2, 2), (2, 1)]),
        ((1, 3), [(1, 3)]),
        ((6, 1), [(2, 1), (3, 1)]),
    ],
)
def test_stages(factors, stages):
    assert scale_stages(factors) == stages


@pytest.mark.parametrize("y", range(1, 9))
@pytest.mark.parametrize("x", range(1, 9))
def test_stages_multiply_to_the_factors(y, x):
    stages = scale_stages((y, x))
    assert (math.prod(s[0] for s in stages), math.prod(s[1] for s in stages)) == (y, x)


def test_a_factor_below_one_is_the_callers_mistake():
    with pytest.raises(ValueError, match="at least 1"):
        scale_stages((2, 0))


@pytest.mark.parametrize(("y", "x"), [(2, 2), (3, 3), (2, 1), (1, 2), (2, 3)])
def test_pixel_shuffle_lays_channels_out_as_pixels(y, x):
    features = torch.arange(2.0 * 3 * y * x * 4 * 5).reshape(2, 3 * y * x, 4, 5)
    for layout in (torch.contiguous_format, torch.channels_last):
        pixels = PixelShuffle(y, x)(features.contiguous(memory_format=layout))
        assert pixels.shape == (2, 3, 4 * y, 5 * x)
        for i in range(y):
            for j in range(x):
                torch.testing.assert_close(pixels[:, :, i::y, j::x], features[:, i * x + j :: y * x])


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (4, 2), (1, 3)])
def test_an_upsampler_multiplies_the_sides(factors):
    upsampled = Upsampler(4, factors)(torch.rand(1, 4, 5, 6))
    assert upsampled.shape == (1, 4, 5 * factors[0], 6 * factors[1])


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
