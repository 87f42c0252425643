import pytest
import torch

from udeansr.networks.wavelet import RECEPTIVE_FIELD, BandDiscriminator, haar, spread


def test_bands_hold_all_there_is():
    slab = torch.rand(2, 3, 8, 6)
    low, high = haar(slab)
    assert low.shape == (2, 3, 4, 3) and high.shape == (2, 9, 4, 3)
    energy = 4 * low.square().sum() + high.square().sum()  # the low band is the mean, half the orthonormal one
    torch.testing.assert_close(energy, slab.square().sum())
    torch.testing.assert_close(low, torch.nn.functional.avg_pool2d(slab, 2))


def test_each_high_band_sees_its_direction():
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).tile(4, 4)
    stripes = torch.tensor([[1.0, -1.0], [1.0, -1.0]]).tile(4, 4)
    for place, slab in enumerate((stripes, stripes.T, checks)):
        _, high = haar(slab[None, None])
        assert [band.abs().sum() > 0 for band in high[0]] == [band == place for band in range(3)]
    _, high = haar(torch.ones(1, 1, 4, 4))
    assert not high.any()


def test_odd_sides_are_the_callers_mistake():
    with pytest.raises(ValueError, match="a slab of 7 x 8; expected even sides"):
        haar(torch.zeros(1, 1, 7, 8))


def test_a_place_of_the_judge_sees_its_receptive_field():
    judge = BandDiscriminator(1, 2).eval()
    for layer in judge.layers:  # instance norm looks at the whole image: what lies beside it is what counts here
        if isinstance(layer, torch.nn.InstanceNorm2d):
            layer.track_running_stats, layer.running_mean = True, torch.zeros(layer.num_features)
            layer.running_var = torch.ones(layer.num_features)
    bands = torch.zeros(1, 3, 31, 31)
    with torch.inference_mode():
        still = judge(bands)
        bands[..., 15, 15] = 1
        changed = (judge(bands) != still)[0, 0].nonzero()
    assert (changed.amax(0) - changed.amin(0) + 1).tolist() == [RECEPTIVE_FIELD, RECEPTIVE_FIELD]


def test_a_verdict_is_spread_over_what_it_saw():
    scores = torch.zeros(1, 1, 33, 33)
    scores[..., 16, 16] = 1
    seen = spread(scores, (33, 33))[0, 0]
    assert (seen > 0).sum() == RECEPTIVE_FIELD**2
    assert seen[16, 16].item() == pytest.approx(1 / RECEPTIVE_FIELD**2)
    everywhere = spread(torch.full((1, 1, 9, 9), 0.3), (36, 18))
    torch.testing.assert_close(everywhere, torch.full_like(everywhere, 0.3))  # at the borders too
