import pytest
import torch

from udeansr.image.grid import Scale
from udeansr.methods.self_supervised import SelfSettings
from udeansr.models.model import load_model
from udeansr.models.registry import named_models
from udeansr.models.thick_slices import FACTORS, bundled_start, thick_slice_model


def test_each_factor_has_its_model_and_the_model_its_card():
    bundled = {model.name: model for model in named_models() if model.bundled}
    for factor in FACTORS:
        model = bundled[thick_slice_model(factor)]
        assert model.description.configuration.task.factors == Scale(factor, 1, 1)
        assert model.description.contrast == "any"
        settings = SelfSettings()
        size = model.description.configuration.size
        assert (size.features, size.blocks) == (settings.features, settings.blocks)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_start_is_better_than_cubic_on_edges(factor):
    """A box of 1 within 0, blurred by nobody: slices of it, thick, and what comes between them."""
    model = load_model(next(m.path for m in named_models() if m.name == thick_slice_model(factor)))
    hr = torch.zeros(1, 12 * factor, 48, 48)
    hr[:, 4 * factor + 1 : 8 * factor + 1, 10:38, 10:38] = 1
    lr = hr.unflatten(1, (12, factor)).mean(2)
    with torch.inference_mode():
        sr = model.method.super_resolve(lr)
        model.method.network.last.weight.zero_()
        cubic = model.method.super_resolve(lr)
    assert (sr - hr).square().mean() < 0.8 * (cubic - hr).square().mean()


def test_another_width_has_no_start():
    assert bundled_start(3, SelfSettings(features=16)) is None
    assert bundled_start(9, SelfSettings()) is None
    assert bundled_start(3, SelfSettings()) is not None
