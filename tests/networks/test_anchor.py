import numpy as np
import pytest
import torch

from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.networks.anchor import AnchoredDecoder, AnchoredEncoder, shrink, stretch

FACTORS = [(1, (1, 1)), (1, (2, 2)), (2, (2, 2)), (3, (1, 2)), (2, (3, 2))]


@pytest.mark.parametrize(("z", "plane"), FACTORS)
def test_an_untrained_pair_is_averaging_and_interpolation(z, plane):
    torch.manual_seed(0)
    hr = torch.rand(2, 3 * z, 8 * plane[0], 10 * plane[1])
    down = AnchoredEncoder(3 * z, 3, 16, plane)
    back, up = (
        AnchoredDecoder(3, 3, 16, 1, 1, (8, 8)),
        AnchoredDecoder(3, 3 * z, 16, 1, 1, (8, 8), plane),
    )
    features = down(hr)
    assert features.shape == (2, 16, 8, 10)
    lr = shrink(hr, 3, plane)
    torch.testing.assert_close(back(features), lr)
    torch.testing.assert_close(up(features), stretch(lr, 3 * z, plane))
    assert up(features).shape == hr.shape


@pytest.mark.parametrize(("z", "plane"), FACTORS)
def test_the_copy_keeps_constants_ramps_and_places(z, plane):
    place = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (8, 12, 14)), indexing="ij"))
    inside, inside_fine = (tuple(slice(3 * s, -3 * s) for s in scale) for scale in ((1, 1, 1), (z, *plane)))
    for ramp in place:
        fine = stretch(torch.from_numpy(ramp)[None], 8 * z, plane)
        expected = torch.from_numpy(tricubic(ramp, Scale(z, *plane)))
        torch.testing.assert_close(fine[0][inside_fine], expected[inside_fine], atol=1e-4, rtol=0)
        torch.testing.assert_close(shrink(fine, 8, plane)[0][inside], torch.from_numpy(ramp)[inside], atol=1e-4, rtol=0)
    torch.testing.assert_close(stretch(torch.ones(1, 4, 6, 6), 4 * z, plane).mean(), torch.tensor(1.0))


@pytest.mark.parametrize(("z", "plane"), FACTORS)
def test_both_commute_with_flips(z, plane):
    torch.manual_seed(0)
    lr = torch.rand(1, 3, 6, 8)
    for axis in (1, 2, 3):
        torch.testing.assert_close(stretch(lr.flip(axis), 3 * z, plane), stretch(lr, 3 * z, plane).flip(axis))
    hr = stretch(lr, 3 * z, plane)
    for axis in (1, 2, 3):
        torch.testing.assert_close(shrink(hr.flip(axis), 3, plane), shrink(hr, 3, plane).flip(axis))


def test_what_is_learned_reaches_the_image_and_the_copy_stays():
    torch.manual_seed(0)
    encoder, decoder = AnchoredEncoder(3, 3, 16), AnchoredDecoder(3, 3, 16, 1, 1, (8, 8))
    torch.nn.init.normal_(decoder.learned.tail.weight)
    lr = torch.rand(2, 3, 8, 8)
    features = encoder(lr)
    torch.testing.assert_close(features[:, :3], lr)
    decoder(features).square().mean().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in encoder.learned.parameters())


@pytest.mark.parametrize(("z", "plane"), FACTORS)
def test_the_copy_is_in_single_precision_whatever_the_networks_are_in(z, plane):
    hr = torch.rand(2, 3 * z, 8 * plane[0], 10 * plane[1])
    lr = shrink(hr, 3, plane)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(shrink(hr, 3, plane), lr)
        fine = stretch(lr, 3 * z, plane)
    assert torch.equal(fine, stretch(lr, 3 * z, plane))


@pytest.mark.parametrize(("z", "plane"), FACTORS)
def test_half_precision_of_the_networks_does_not_touch_the_copy(z, plane):
    torch.manual_seed(0)
    encoder, decoder = AnchoredEncoder(3, 3, 16), AnchoredDecoder(3, 3 * z, 16, 1, 1, (8, 8), plane)
    lr = 1000 + torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        sr = decoder(encoder(lr))
    assert sr.dtype == torch.float32
    torch.testing.assert_close(sr, stretch(lr, 3 * z, plane), atol=1e-3, rtol=0)
