import numpy as np
import pytest
import torch

from udeansr.figures import explanation_figure
from udeansr.figures.explanation_figure import draw_explanations
from udeansr.figures.slabs import Slabs
from udeansr.figures.style import caption_of
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry
from udeansr.methods import build_method, parse_settings
from udeansr.methods.supervised import Supervised


@pytest.fixture
def slabs():
    hr, lr = torch.rand(1, 3, 32, 40), torch.rand(1, 3, 24, 16)
    hr_grid, lr_grid = Geometry((9, 32, 40), (2.0, 1.0, 1.0)), Geometry((9, 24, 16), (2.0, 2.0, 2.0))
    return Slabs("sub-1", "sub-2", hr, lr, np.zeros((48, 32)), hr_grid, lr_grid, Scale(1, 2, 2))


@pytest.fixture
def method(tiny_configuration):
    return build_method("supervised", tiny_configuration("x2x2x1"), parse_settings("supervised", [])).eval()


def test_a_method_that_explains_nothing_has_no_figure(method, slabs, tmp_path):
    assert draw_explanations(method, slabs, tmp_path / "a.png", "a row") is None
    assert not list(tmp_path.iterdir())


def test_maps_of_either_grid_stand_beside_what_was_shown_twice_the_same(method, slabs, tmp_path, monkeypatch):
    maps = {"cleaned": slabs.lr / 2, "distance map": torch.rand(1, 3, 32, 40), "degraded": torch.rand(1, 3, 16, 20)}
    monkeypatch.setattr(Supervised, "explanations", lambda self, hr, lr: maps)
    figures = []
    monkeypatch.setattr(
        explanation_figure,
        "new_figure",
        lambda *size, make=explanation_figure.new_figure: figures.append(make(*size)) or figures[-1],
    )
    for name in ("a", "b"):
        assert draw_explanations(method, slabs, tmp_path / f"{name}.png", "a row") == tmp_path / f"{name}.png"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert [text.get_text() for text in figures[0].texts] == ["HR of the source", "real LR", *maps]
    images = [axes.images[0] for axes in figures[0].axes if axes.images]
    assert [image.get_cmap().name for image in images] == ["gray", "gray", "gray", "cividis", "gray"]
    assert np.array_equal(images[2].get_array(), slabs.lr[0, 1].numpy() / 2)
    assert images[0].axes.get_aspect() == images[1].axes.get_aspect() == 1.0
    assert "What supervised gives to be looked at, a row: cleaned, distance map, degraded" in caption_of(
        tmp_path / "a.png"
    )
