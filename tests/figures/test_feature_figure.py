import numpy as np
import pytest
import torch

from udeansr.errors import UdeansrError
from udeansr.figures import feature_figure
from udeansr.figures.feature_figure import draw_explanations, draw_features, features_of
from udeansr.figures.slabs import Slabs
from udeansr.figures.style import FEATURES, caption_of
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
        feature_figure,
        "new_figure",
        lambda *size, make=feature_figure.new_figure: figures.append(make(*size)) or figures[-1],
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


@pytest.fixture
def figure_slabs():
    generator = torch.Generator().manual_seed(4)
    hr, lr = torch.rand(1, 3, 32, 40, generator=generator), torch.rand(1, 3, 24, 16, generator=generator)
    hr_grid, lr_grid = Geometry((9, 32, 40), (2.0, 1.0, 1.0)), Geometry((9, 24, 16), (2.0, 2.0, 2.0))
    return Slabs("sub-1", "sub-2", hr, lr, np.zeros((48, 32)), hr_grid, lr_grid, Scale(1, 2, 2))


@pytest.fixture
def make(tiny_configuration):
    def build(name, *said):
        torch.manual_seed(5)
        configuration = tiny_configuration("x2x2x1", patch_size=(16, 16))
        return build_method(name, configuration, parse_settings(name, [f"{name}.{one}" for one in said])).eval()

    return build


@pytest.mark.parametrize(("words", "copied"), [(["udean"], 3), (["udean_paper", "anchor=false"], 0)])
def test_the_channels_are_those_of_the_largest_variance_over_the_source_the_same_for_both(
    make, figure_slabs, words, copied
):
    method = make(*words)
    found = features_of(method, figure_slabs.hr, figure_slabs.lr)
    with torch.inference_mode():
        source = method.generators.hr_encoder(figure_slabs.hr)[0]
        target = method.generators.lr_encoder(figure_slabs.lr)[0]
    learnt = range(copied, len(source))
    ordered = sorted(learnt, key=lambda channel: -float(source[channel].var()))[:3]
    assert [channel + copied for channel in found.channels] == ordered and found.learnt == len(learnt)
    assert torch.equal(found.source, source[ordered]) and torch.equal(found.target, target[ordered])


def test_a_pair_has_one_scale_that_holds_both(make, figure_slabs):
    found = features_of(make("udean_paper"), figure_slabs.hr, figure_slabs.lr)
    for number in range(3):
        low, high = found.limits(number)
        both = torch.cat([found.source[number].flatten(), found.target[number].flatten()])
        assert low < high and float(((both >= low) & (both <= high)).float().mean()) > 0.97


@pytest.mark.parametrize("name", ["supervised", "tricubic"])
def test_a_method_without_these_networks_is_refused(make, figure_slabs, tmp_path, name):
    message = f"{name} has no encoders of HR and of LR .*; expected udean, udean_paper; choose such rows with --rows"
    with pytest.raises(UdeansrError, match=message):
        draw_features(make(name), figure_slabs, tmp_path / "a.png", "a row")
    assert not list(tmp_path.iterdir())


def test_the_figure_shows_both_groups_with_the_common_scale_twice_the_same(make, figure_slabs, tmp_path, monkeypatch):
    from udeansr.figures import feature_figure

    figures = []
    drawn = feature_figure.feature_figure
    monkeypatch.setattr(feature_figure, "feature_figure", lambda *given: figures.append(drawn(*given)) or figures[-1])
    method = make("udean_paper")
    for name in ("a", "b"):
        assert draw_features(method, figure_slabs, tmp_path / f"{name}.png", "a row") == tmp_path / f"{name}.png"
    for suffix in (".png", ".pdf"):
        one, other = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("a", "b"))
        assert one == other and one
    images = [axes.images[0] for axes in figures[0].axes if axes.images]
    maps = [image for image in images if image.get_cmap().name == FEATURES]
    assert len(images) == 10 and len(maps) == 6
    assert [image.get_clim() for image in maps[:3]] == [image.get_clim() for image in maps[3:]]
    words = [text.get_text() for text in figures[0].texts]
    assert words[0] == "source: sub-1" and "target: sub-2" in words and "$f_{s3}$" in words and "$f_{t1}$" in words
    caption = caption_of(tmp_path / "a.png")
    assert "sub-1" in caption and "held both encoders to one language" in caption
