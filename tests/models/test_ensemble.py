from dataclasses import replace

import numpy as np
import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.inference.fused import fused
from udeansr.models.ensemble import Ensemble, ensemble
from udeansr.models.model import interpolator, load_model
from udeansr.prediction.predictor import Predictor


@pytest.fixture
def pair(tiny_checkpoint, tmp_path):
    """Two models of one plan whose weights differ."""
    one, other = (load_model(tiny_checkpoint(tmp_path / f"{name}.pt")) for name in ("one", "other"))
    for parameter in other.method.parameters():
        parameter.data.mul_(1.3)
    return one, other


def test_sr_is_the_mean_of_the_members(pair, lr):
    made = Predictor(ensemble(pair), as_float=True)(lr).voxels
    each = [Predictor(model, as_float=True)(lr).voxels for model in pair]
    assert np.abs(each[0] - each[1]).max() > 1
    positive = np.min(each, axis=0) > 0  # where SR would fall below 0 it is cut off, the mean after the mean
    assert positive.mean() > 0.5
    np.testing.assert_allclose(made[positive], np.mean(each, axis=0)[positive], atol=1e-3 * np.abs(made).max())


def test_its_networks_are_fused_as_those_of_one(pair):
    method = ensemble(pair).method
    slab = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(fused(method).super_resolve(slab), method.super_resolve(slab), rtol=1e-3, atol=1e-4)
    assert isinstance(method, Ensemble) and method.margin_slices == pair[0].method.margin_slices
    with pytest.raises(ValueError, match="an ensemble is not trained"):
        next(method.turns(Batch(slab, slab)))


def test_it_says_whose_it_is(pair, tmp_path):
    assert ensemble(pair).label == f"ensemble of {tmp_path / 'one.pt'}, {tmp_path / 'other.pt'}"


def test_models_of_other_slabs_are_refused(pair, tiny_checkpoint, tmp_path):
    other = load_model(tiny_checkpoint(tmp_path / "thick.pt", spacing_mm=(6.0, 2.0, 2.0)))
    with pytest.raises(UdeansrError, match=r"thick.pt: made for other slabs than .*one.pt \(.*lr_spacing_mm"):
        ensemble([pair[0], other])
    gained = replace(pair[1], plan=replace(pair[1].plan, lr_gain=2.0))
    with pytest.raises(UdeansrError, match=r"lr_gain 1.0 -> 2.0"):
        ensemble([pair[0], gained])
    with pytest.raises(UdeansrError, match="learns in prediction or not at all"):
        ensemble([interpolator("sinc", Scale(2, 2, 2)), pair[0]])
