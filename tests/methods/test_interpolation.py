import numpy as np
import pytest
import torch

from udeansr.image.resampling import sinc, tricubic
from udeansr.methods import build_method, parse_settings


@pytest.mark.parametrize(("name", "interpolate"), [("tricubic", tricubic), ("sinc", sinc)])
def test_each_volume_is_interpolated_whole(name, interpolate, configuration):
    method = build_method(name, configuration("x2x3x2"), parse_settings(name, []))
    assert method.slab_slices is None
    volumes = np.random.default_rng(1).random((2, 5, 6, 7), dtype=np.float32)
    expected = np.stack([interpolate(volume, method.scale) for volume in volumes])
    np.testing.assert_array_equal(method.super_resolve(torch.from_numpy(volumes)).numpy(), expected)


@pytest.mark.parametrize("name", ["tricubic", "sinc"])
def test_precision_is_kept_and_autocast_changes_nothing(name, configuration):
    method = build_method(name, configuration(), parse_settings(name, []))
    lr = torch.rand(1, 4, 6, 6)
    assert method.super_resolve(lr.bfloat16()).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = method.super_resolve(lr)
    torch.testing.assert_close(under_autocast, method.super_resolve(lr))


@pytest.mark.parametrize("name", ["tricubic", "sinc"])
def test_nothing_is_learned(name, configuration, batch):
    method = build_method(name, configuration(), parse_settings(name, []))
    assert not list(method.turns(batch(configuration())))
    assert not method.state_dict()
