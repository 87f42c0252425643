import pytest
import torch

from udeansr.networks.bounded_degradation import FIRST_NOISE, BoundedDegradation


def learned(seed: int = 0, noise: float = 1e-9) -> BoundedDegradation:
    """A degradation as training may leave it, almost without noise."""
    generator = torch.Generator().manual_seed(seed)
    network = BoundedDegradation()
    with torch.no_grad():
        for taps in network.taps:
            taps.copy_(0.1 * torch.randn(taps.shape, generator=generator))
        network.log_noise.fill_(noise).log_()
    return network


def slab(side: int = 32) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(5))


def test_it_begins_as_nothing_but_a_little_noise():
    torch.manual_seed(0)
    change = BoundedDegradation()(slab()) - slab()
    assert change.std().item() == pytest.approx(FIRST_NOISE, rel=0.1)


def test_a_constant_stays_as_it_is():
    flat = torch.full((1, 3, 16, 16), 0.7)
    torch.testing.assert_close(learned()(flat), flat, atol=1e-5, rtol=0)


def test_it_commutes_with_mirrors_and_so_moves_nothing():
    network, image = learned(), slab()
    for axis in (1, 2, 3):
        torch.testing.assert_close(network(image.flip(axis)), network(image).flip(axis), atol=1e-4, rtol=0)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("frequency", [0.25, 0.5, 1.0])
def test_the_curve_is_what_happens_to_a_wave(axis, frequency):
    network = learned()
    wave = torch.cos(torch.pi * frequency * torch.arange(64))
    image = 5 + (wave[:, None] if axis == 1 else wave[None, :]).expand(1, 3, 64, 64)
    made = network(image)[:, :, 8:-8, 8:-8] - 5
    expected = network.curve(axis, torch.tensor(frequency)) * (image[:, :, 8:-8, 8:-8] - 5)
    torch.testing.assert_close(made, expected, atol=2e-4, rtol=0)


def test_noise_can_be_learned():
    network = BoundedDegradation()
    network(slab()).square().mean().backward()
    assert network.log_noise.grad is not None and network.log_noise.grad > 0  # more noise, more power
    assert all(taps.grad is not None and taps.grad.abs().sum() > 0 for taps in network.taps)
