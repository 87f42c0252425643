import importlib.util
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.methods import build_method, parse_settings
from udeansr.models.model import Model, interpolator
from udeansr.models.onnx import _AnySizeAttention, export_onnx
from udeansr.networks.rcan import ChannelAttention
from udeansr.planning.plan import Plan


def lively(configuration, method: str = "supervised") -> Model:
    """A model whose weights do something, as if it were trained."""
    torch.manual_seed(2)
    made = build_method(method, configuration, parse_settings(method, [])).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.1)
    plan = Plan("Dataset001_A", "SPL", 1.02, {configuration.name: configuration})
    return Model(made, configuration.task.factors, plan, configuration)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "source"), [("x2x3x2", "measured"), ("x2x2x1", "randomized")])
def test_another_runtime_gives_what_torch_gives_at_any_size(tiny_configuration, tmp_path, scale, source):
    resolver = lively(tiny_configuration(scale, features=16, source_degradation=source))
    told = export_onnx(resolver, tmp_path / "new" / "a.onnx")
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "a.onnx"]
    _says_how_to_run_it(tmp_path / "new" / "a.onnx", told, resolver.configuration.task.factors.zyx)
    session = onnxruntime.InferenceSession(tmp_path / "new" / "a.onnx", providers=["CPUExecutionProvider"])
    channels = 3 * len(json.loads(told["channels"]))
    for batch, rows, columns in ((1, 16, 24), (3, 61, 70), (2, 33, 25), (1, 11, 13), (1, 40, 9)):
        slab = torch.rand(batch, channels, rows, columns)
        with torch.inference_mode():
            expected = resolver.method.crop_margin(resolver.method.super_resolve(slab)).numpy()
        (found,) = session.run(["sr"], {"lr": slab.numpy()})
        assert np.abs(found - expected).max() < 1e-4 < np.abs(expected).max()


def _says_how_to_run_it(path, told, scale_zyx):
    """The file carries all that another program needs, and nothing of this machine."""
    assert {entry.key: entry.value for entry in onnx.load(path).metadata_props} == told
    assert json.loads(told["scale_zyx"]) == list(scale_zyx) and told["orientation_zyx"] == "SPL"
    assert (told["slices"], told["output_slices"], told["margin_slices"]) == ("3", "1", "1")
    assert json.loads(told["lr_gain"]) == 1.02 and json.loads(told["percentile"]) == 99.5
    assert b".py" not in path.read_bytes()


@pytest.mark.parametrize("sides", [(16, 24), (50, 61), (17, 25), (9, 70), (5, 3)])
def test_attention_by_matrices_is_attention(sides):
    torch.manual_seed(0)
    attention = ChannelAttention(8, (16, 24))
    x = torch.rand(2, 8, *sides)
    with torch.inference_mode():
        torch.testing.assert_close(_AnySizeAttention(attention)(x), attention(x))


def test_what_has_no_network_is_refused(tiny_configuration, tmp_path):
    for resolver in (interpolator("sinc", Scale(2, 2, 2)), lively(tiny_configuration(), "zssr")):
        with pytest.raises(UdeansrError, match="has no network of slabs that is ready; expected a model"):
            export_onnx(resolver, tmp_path / "a.onnx")


def test_missing_packages_are_told(tiny_configuration, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UdeansrError, match=r"ONNX needs onnx and onnxscript; pip install 'udeansr\[onnx\]'"):
        export_onnx(lively(tiny_configuration()), tmp_path / "a.onnx")


def test_an_old_torch_is_told(tiny_configuration, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.4.1+cpu")
    with pytest.raises(UdeansrError, match=r"torch 2.4.1\+cpu cannot export .*; install torch 2.6 or newer"):
        export_onnx(lively(tiny_configuration()), tmp_path / "a.onnx")
