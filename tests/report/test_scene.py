import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale, reorient, sr_geometry
from udeansr.image.volume import Geometry, Volume
from udeansr.report.encoding import Encoded, decode
from udeansr.report.scene import CaseImages, Maps, make_scene


def ball(geometry: Geometry, level: float = 100.0) -> Volume:
    """A ball of 18 mm about the world's (4, -6, 9), LPS, brighter towards the left."""
    places = geometry.world_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    away = np.linalg.norm(places - (4.0, -6.0, 9.0), axis=-1)
    return Volume((np.clip(19 - away, 0, 1) * (level + places[..., 0])).astype(np.float32), geometry)


LR_GRID = Geometry((20, 30, 36), (3.0, 2.0, 2.0), (-30.0, -34.0, -18.0))


@pytest.fixture
def images() -> CaseImages:
    lr = ball(LR_GRID)
    return CaseImages("a", ball(sr_geometry(LR_GRID, Scale(3, 2, 2))), lr)


def stored(scene, layer) -> np.ndarray:
    low, step = layer["low"], layer["step"]
    return decode(Encoded(tuple(layer["shape"]), low, step, 255, 0, scene.payloads[layer["data"]]))


@pytest.mark.parametrize("stored_as", ["SPL", "LSA", "PRI", "RAS"])
def test_values_lie_where_the_world_has_them_however_they_were_stored(images, stored_as):
    turned = CaseImages("a", reorient(images.sr, stored_as), reorient(images.lr, stored_as))
    scene = make_scene(turned, "k", 1e9)
    values = scene.values
    ras_to_lps = np.array([-1, -1, 1])
    for layer in (one for one in values["layers"] if "data" in one):
        voxels = stored(scene, layer)
        steps = np.asarray(values["world"]["steps"]) / np.asarray(values["grid"]["spacing"])[:, None]
        along = np.moveaxis(np.indices(voxels.shape), 0, -1) * layer["spacing"] + layer["offset"]
        lps = (np.asarray(values["world"]["origin"]) + along @ steps) * ras_to_lps
        away = np.linalg.norm(lps - (4.0, -6.0, 9.0), axis=-1)
        expected = np.clip(19 - away, 0, 1) * (100 + lps[..., 0])
        expected = np.minimum(expected, layer["low"] + 255 * layer["step"])
        np.testing.assert_allclose(voxels, expected, atol=layer["step"])
    assert values["low_letters"] == ["S", "A", "R"]
    np.testing.assert_allclose(steps, [[0, 0, -1], [0, -1, 0], [-1, 0, 0]], atol=1e-6)


def test_all_images_share_one_window_and_the_air_is_cut_off(images):
    scene = make_scene(images, "k", 1e9)
    layers = {layer["id"]: layer for layer in scene.values["layers"]}
    assert list(layers) == ["lr", "tricubic", "sr", "sr-tricubic"]
    assert layers["lr"]["low"] == layers["sr"]["low"] and layers["lr"]["step"] == layers["sr"]["step"]
    assert layers["tricubic"]["of"] == "lr" and "data" not in layers["tricubic"]
    assert layers["sr"]["shape"][2] < images.sr.voxels.shape[2]
    assert "values are true to" in " ".join(scene.notes)


def test_a_case_stays_within_its_limit_and_says_at_what_price(images):
    rng = np.random.default_rng(0)
    noisy = CaseImages("a", Volume(images.sr.voxels + rng.uniform(0, 30, images.sr.voxels.shape), images.sr.geometry))
    free = make_scene(noisy, "k", 1e9)
    coarse = make_scene(noisy, "k", 0.9 * free.size)
    least = make_scene(noisy, "k", 0.1 * free.size)
    assert free.size > coarse.size > least.size and coarse.size <= 0.9 * free.size and least.size <= 0.1 * free.size
    assert "256 levels" in free.notes[-1] and "128 levels" in coarse.notes[-1]
    assert "merged" in least.notes[0]
    ends = [np.asarray(one.values["world"]["origin"]) for one in (free, least)]
    np.testing.assert_allclose(*ends, atol=4)


def test_maps_have_colours_of_their_own(images):
    maps = {
        "uncertainty": Maps(Volume(images.sr.voxels / 20, images.sr.geometry), "uncertainty", "", "heat", 10),
        "doubt": Maps(Volume(images.lr.voxels / 50 - 1, images.lr.geometry), "doubt", "noise", "signed", 4),
    }
    scene = make_scene(CaseImages("a", images.sr, images.lr, images.sr, maps), "k", 1e9)
    layers = {layer["id"]: layer for layer in scene.values["layers"]}
    assert list(layers)[-2:] == ["uncertainty", "doubt"]
    assert layers["uncertainty"]["range"] == [0, 10] and layers["doubt"]["range"] == [-4, 4]
    assert layers["sr-hr"]["difference"] == ["sr", "hr"]


def test_images_that_do_not_belong_together_are_refused(images):
    elsewhere = Geometry(LR_GRID.shape, LR_GRID.spacing_mm, (500.0, 0.0, 0.0))
    with pytest.raises(UdeansrError, match="does not overlap"):
        make_scene(CaseImages("a", images.sr, None, Volume(images.lr.voxels, elsewhere)), "k", 1e9)
    with pytest.raises(UdeansrError, match="no voxel above 0"):
        make_scene(CaseImages("a", Volume(np.zeros_like(images.sr.voxels), images.sr.geometry)), "k", 1e9)


def test_an_image_along_other_axes_is_resampled_and_that_is_said(images):
    c, s = np.cos(0.1), np.sin(0.1)
    turned = Geometry(LR_GRID.shape, LR_GRID.spacing_mm, LR_GRID.origin_mm, ((0, -s, c), (0, c, s), (1, 0, 0)))
    scene = make_scene(CaseImages("a", images.sr, ball(turned)), "k", 1e9)
    assert "resampled" in scene.notes[0]
