import pytest
import torch
from torch import nn

from udeansr.inference import fused as module
from udeansr.inference.fused import fused
from udeansr.networks.anchor import AnchoredDecoder, AnchoredEncoder
from udeansr.networks.decoder import Decoder
from udeansr.networks.encoder import Encoder

WINDOW = (16, 24)
SIDES = [(16, 24), (9, 7), (40, 56), (33, 24), (16, 61), (45, 50)]


def network(anchored: bool, upscale: tuple[int, int], window: tuple[int, int] = WINDOW, features: int = 8) -> nn.Module:
    torch.manual_seed(0)
    if anchored:
        decoder = AnchoredDecoder(3, 6, features, 2, 2, window, upscale)
        nn.init.normal_(decoder.learned.tail.weight, std=0.05)  # else nothing of the network would be seen
        return nn.Sequential(AnchoredEncoder(3, 3, features), decoder).eval()
    return nn.Sequential(Encoder(3, features), Decoder(6, features, 2, 2, window, upscale)).eval()


@pytest.mark.parametrize("upscale", [(1, 1), (2, 2), (4, 2), (3, 1)])
@pytest.mark.parametrize("anchored", [False, True])
def test_a_lean_network_gives_the_same(anchored, upscale):
    whole = network(anchored, upscale)
    for sides in SIDES:
        slab = torch.rand(2, 3, *sides)
        with torch.inference_mode():
            torch.testing.assert_close(fused(whole)(slab), whole(slab), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [(10, 13), (5, 64)])
def test_windows_that_do_not_divide_into_steps_are_pooled_as_in_training(window):
    whole, slab = network(True, (2, 2), window), torch.rand(1, 3, 40, 40)
    with torch.inference_mode():
        torch.testing.assert_close(fused(whole)(slab), whole(slab), rtol=1e-4, atol=1e-5)


def test_half_precision_is_noise_and_the_image_stays_whole():
    whole, slab = network(True, (2, 2)), torch.rand(1, 3, 40, 56)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        half = fused(whole, torch.bfloat16)(slab)
    with torch.inference_mode():
        error = (half - whole(slab)).square().mean()
    assert half.dtype == torch.float32 and -10 * torch.log10(error) > 50
    untrained = nn.Sequential(AnchoredEncoder(3, 3, 8), AnchoredDecoder(3, 6, 8, 1, 1, WINDOW, (2, 2)))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        half = fused(untrained, torch.bfloat16)(slab)
    with torch.inference_mode():
        torch.testing.assert_close(half, untrained(slab), rtol=0, atol=1e-6)


def test_the_network_itself_stays_as_it_is():
    whole = network(True, (2, 2))
    before = {name: (weight.clone(), weight.requires_grad) for name, weight in whole.named_parameters()}
    fused(whole, torch.bfloat16)
    for name, weight in whole.named_parameters():
        assert torch.equal(weight, before[name][0]) and weight.requires_grad == before[name][1]


def test_it_holds_its_weights_in_the_type_asked_for():
    assert {weight.dtype for weight in fused(network(True, (2, 2)), torch.bfloat16).parameters()} == {torch.bfloat16}
    assert not any(weight.requires_grad for weight in fused(network(False, (2, 2))).parameters())


@pytest.mark.parametrize("sides", [(256, 320), (64, 300), (64, 64)])
def test_large_windows_do_not_overflow_half_precision(sides):
    """A sum over a window of 128 x 128 would be more than float16 holds from a mean of 4 on."""
    features = torch.full((1, 2, *sides), 30.0, dtype=torch.float16)
    means = module._window_means(features, (128, 128))
    torch.testing.assert_close(means, torch.full_like(means, 30.0), rtol=2e-3, atol=0)
