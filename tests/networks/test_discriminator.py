import pytest
import torch
from torch import nn

from udeansr.networks.discriminator import Discriminator


@pytest.mark.parametrize("patch", [(32, 32), (64, 32), (16, 16), (24, 40), (9, 50), (33, 64)])
def test_one_score_for_a_patch_of_any_size(patch):
    assert Discriminator(3, patch, 2)(torch.rand(4, 3, *patch)).shape == (4, 1)


def test_the_layout_of_vgg_128():
    with torch.device("meta"):
        discriminator = Discriminator(6, (128, 128))
    convolutions = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    assert [(layer.out_channels, layer.stride[0]) for layer in convolutions] == [
        (64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2), (512, 1), (512, 2),
    ]  # fmt: skip
    assert [layer.bias is not None for layer in convolutions] == [True] + [False] * 9
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in discriminator.modules()) == 9
    linear = [
        (layer.in_features, layer.out_features) for layer in discriminator.modules() if isinstance(layer, nn.Linear)
    ]
    assert linear == [(512 * 4 * 4, 100), (100, 1)]


def test_sides_that_do_not_divide_are_pooled():
    assert Discriminator(3, (64, 64), 2).verdict[0].in_features == 16 * 2 * 2
    assert Discriminator(3, (64, 48), 2).verdict[0].in_features == 16


def test_scores_are_no_probabilities():
    discriminator = Discriminator(1, (16, 16), 2)
    nn.init.constant_(discriminator.verdict[-1].bias, 3.0)
    nn.init.zeros_(discriminator.verdict[-1].weight)
    assert discriminator(torch.rand(2, 1, 16, 16)).tolist() == [[3.0], [3.0]]
