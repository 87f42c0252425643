import numpy as np
import pytest
import torch

from udeansr.image.grid import Scale
from udeansr.methods.backbone import degradation_network, lr_translator, shrink_cubically, sr_network

SCALES = ["x2x2x2", "x2x2x1", "x3x2x1", "x1x1x3"]


@pytest.mark.parametrize("anchor", [True, False])
@pytest.mark.parametrize("scale", SCALES)
def test_each_network_goes_from_its_grid_to_its_grid(scale, anchor, configuration):
    size = configuration(scale, patch_size=(8, 8))
    z, y, x = size.task.factors.zyx
    lr, hr = torch.rand(2, 3, 10, 6), torch.rand(2, 3 * z, 10 * y, 6 * x)
    with torch.inference_mode():
        assert sr_network(size, anchor)(lr).shape == hr.shape
        assert lr_translator(size, anchor)(lr).shape == lr.shape
        assert degradation_network(size, anchor)(hr).shape == lr.shape


def test_an_anchored_translator_begins_as_the_identity(configuration):
    lr = torch.rand(2, 3, 16, 24)
    with torch.inference_mode():
        torch.testing.assert_close(lr_translator(configuration())(lr), lr)
        assert not torch.allclose(lr_translator(configuration(), anchor=False)(lr), lr, atol=0.1)


@pytest.mark.parametrize("scale", SCALES)
def test_shrinking_keeps_the_field_of_view_and_straight_ramps(scale):
    factors = Scale.parse(scale)
    sides = [n * s for n, s in zip((12, 16, 20), factors.zyx, strict=True)]
    z, y, x = np.meshgrid(*((np.arange(n) + 0.5) / n for n in sides), indexing="ij")
    hr = torch.from_numpy(0.2 * z + 0.3 * y + 0.5 * x)[None]
    z, y, x = np.meshgrid(*((np.arange(n) + 0.5) / n for n in (12, 16, 20)), indexing="ij")
    expected = torch.from_numpy(0.2 * z + 0.3 * y + 0.5 * x).float()[None]
    shrunk = shrink_cubically(hr, factors)
    assert shrunk.shape == (1, 12, 16, 20)
    inside = (slice(None), *(slice(3, -3),) * 3)  # at the borders the kernel has only one side
    torch.testing.assert_close(shrunk[inside], expected[inside], atol=1e-5, rtol=0)


def test_shrinking_leaves_no_alias():
    stripes = torch.tensor([0.0, 1.0]).repeat(32).expand(1, 4, 64, 64)  # the finest there are
    assert shrink_cubically(stripes, Scale(1, 2, 2))[..., 4:-4].std() < 1e-3
    thin = torch.tensor([0.0, 1.0]).repeat(12)[None, :, None, None].expand(1, 24, 8, 8)
    assert shrink_cubically(thin, Scale(2, 1, 1))[:, 3:-3].std() < 1e-3
