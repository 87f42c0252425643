import pytest
import torch
from torch import Tensor

from udeansr.networks.rcan import ChannelAttention, RcanBody, upsample_scores, window_means


def features(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(16, 24), (16, 7), (3, 24), (5, 5)])
def test_a_patch_is_pooled_globally(shape):
    x = features(2, 3, *shape)
    means = window_means(x, (16, 24))
    torch.testing.assert_close(means, x.mean((2, 3), keepdim=True))
    assert upsample_scores(means, (16, 24), shape).shape == means.shape


def test_windows_move_by_an_eighth_and_count_only_what_is_there():
    x = features(1, 2, 21, 40)
    means = window_means(x, (16, 24))
    assert means.shape == (1, 2, 4, 7)  # starts 0, 2, 4, 6 and 0, 3, ..., 18
    for i in range(4):
        for j in range(7):
            window = x[:, :, 2 * i : 2 * i + 16, 3 * j : 3 * j + 24]
            torch.testing.assert_close(means[:, :, i, j], window.mean((2, 3)))


def test_each_pixel_gets_the_window_around_it():
    ramp = torch.arange(64.0).expand(1, 1, 48, 64)
    around = upsample_scores(window_means(ramp, (16, 16)), (16, 16), (48, 64))
    assert around.shape == (1, 1, 48, 64)
    # The mean of a ramp over a window is the ramp at its centre; the outer windows serve up to the ends.
    torch.testing.assert_close(around[0, 0], ramp[0, 0].clamp(7.5, 55.5))


@pytest.mark.parametrize("window", [(1, 1), (2, 3), (7, 9), (13, 8)])
@pytest.mark.parametrize("sides", [(8, 9), (14, 33), (31, 10), (5, 40)])
def test_pooling_and_spreading_keep_a_constant_for_any_size(window, sides):
    x = torch.full((1, 2, *sides), 0.7)
    kept = upsample_scores(window_means(x, window), window, sides)
    torch.testing.assert_close(kept.expand(x.shape), x)


def test_a_slice_has_the_statistics_of_the_patch_it_repeats():
    attention = ChannelAttention(8, (16, 24))
    torch.nn.init.constant_(attention.squeeze.weight, 1.0)
    torch.nn.init.constant_(attention.excite.weight, -0.5)
    patch = features(1, 8, 16, 24)
    expected = attention(patch)
    torch.testing.assert_close(attention(patch.repeat(1, 1, 3, 2)), expected.repeat(1, 1, 3, 2))
    # What a global mean would not stand: a slice that is mostly air.
    slice_ = torch.zeros(1, 8, 64, 96)
    slice_[:, :, 24:40, 36:60] = patch
    torch.testing.assert_close(attention(slice_)[:, :, 32, 48], expected[:, :, 8, 12], rtol=0.2, atol=0)


def test_what_is_further_than_a_window_away_does_not_matter():
    torch.manual_seed(2)
    attention = ChannelAttention(4, (8, 8))
    x = features(1, 4, 40, 40)
    changed = x.clone()
    changed[:, :, 30:, 30:] += 5
    torch.testing.assert_close(attention(changed)[:, :, :20, :20], attention(x)[:, :, :20, :20])


def test_channels_are_weighed_as_in_rcan():
    torch.manual_seed(2)
    attention = ChannelAttention(32, (6, 6))
    assert attention.squeeze.out_channels == 2
    x = features(2, 32, 6, 6)
    means = x.mean((2, 3))
    hidden = (means @ attention.squeeze.weight[:, :, 0, 0].T + attention.squeeze.bias).relu()
    weights = (hidden @ attention.excite.weight[:, :, 0, 0].T + attention.excite.bias).sigmoid()
    torch.testing.assert_close(attention(x), x * weights[:, :, None, None])


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_a_body_works_in_half_precision_on_whole_slices(precision):
    torch.manual_seed(2)
    body = RcanBody(8, 1, 1, (8, 8))
    x = features(1, 8, 20, 13)
    expected = body(x)
    half = body.to(precision)(x.to(precision, memory_format=torch.channels_last))
    torch.testing.assert_close(half.float(), expected, rtol=0.02, atol=0.02)


def test_a_body_without_convolutions_is_its_skips():
    body = RcanBody(3, 2, 2, (8, 8))
    for layer in (body.last, *(group.last for group in body.groups)):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.dirac_(body.head.weight)
    torch.nn.init.zeros_(body.head.bias)
    x = features(1, 3, 8, 8)
    torch.testing.assert_close(body(x), x)
