import numpy as np
import pytest

from udeansr.figures import plane as planes
from udeansr.figures.plane import Region
from udeansr.figures.style import new_figure, place
from udeansr.image.grid import reorient
from udeansr.image.volume import Geometry, Volume

LPS = Volume(np.zeros((4, 5, 6), np.float32), Geometry((4, 5, 6), (3.0, 2.0, 1.0)))
CORNERS = {
    "axial": {"upper": "A", "left": "R"},
    "coronal": {"upper": "S", "left": "R"},
    "sagittal": {"upper": "S", "left": "A"},
}
BRIGHT_SIDE = {"A": np.s_[:, 0, :], "S": np.s_[-1], "R": np.s_[..., 0]}
"""Of an array that is stored as SPL: rows run to P, columns to L, slices to S."""


@pytest.mark.parametrize("stored", ["SPL", "RAS", "IAL", "PSL"])
@pytest.mark.parametrize("view", planes.VIEWS)
def test_each_view_is_the_way_up_that_radiologists_expect(view, stored):
    for place_on_screen, letter in CORNERS[view].items():
        voxels = LPS.voxels.copy()
        voxels[BRIGHT_SIDE[letter]] = 1
        shown = planes.on_screen(reorient(Volume(voxels, LPS.geometry), stored), view).voxels
        edge = shown[:, 0, :] if place_on_screen == "upper" else shown[:, :, 0]
        assert edge.all() and shown.sum() == edge.size


def test_one_slice_is_turned_as_the_volume_is():
    coronal = reorient(LPS, "PSL")
    plane = np.arange(24.0).reshape(4, 6)
    shown, grid = planes.plane_on_screen(plane, coronal.geometry)
    assert np.array_equal(shown, plane[::-1]) and grid.spacing_mm[1:] == (3.0, 1.0)
    assert planes.view_of("PSL") == "coronal" and planes.view_of("RIP") == "sagittal"


def test_the_slice_of_the_largest_foreground_is_the_first_of_equal_ones():
    foreground = np.zeros((4, 3, 3), bool)
    foreground[1, :2] = foreground[3, :2] = foreground[2, 0] = True
    assert planes.largest_slice(foreground) == 1


def test_the_cut_holds_the_foreground_and_a_margin():
    foreground = np.zeros((60, 80), bool)
    foreground[10:35, 40:80] = True
    assert planes.cut_region(foreground) == Region(9, 38, 27, 42)
    assert planes.cut_region(np.zeros((5, 7), bool)) == Region(0, 0, 5, 7)


def test_the_zoom_is_where_the_centre_varies_most_and_square_in_mm():
    rng = np.random.default_rng(1)
    plane = np.ones((50, 100))
    plane[26:31, 40:50] = rng.random((5, 10)) * 4
    plane[0:4, 0:8] = rng.random((4, 8)) * 40  # not in the centre
    region = planes.zoom_region(plane, np.ones(plane.shape, bool), (2.0, 1.0))
    assert (region.height, region.width) == (9, 18)
    assert region.top <= 26 and region.top + 9 >= 31 and region.left <= 40 and region.left + 18 >= 50
    windows = np.lib.stride_tricks.sliding_window_view(plane, (9, 18)).var(axis=(2, 3))
    assert plane[region.inside].var() == pytest.approx(windows[9:, 18:].max())


def test_the_zoom_keeps_off_the_edge_of_the_head_where_it_can():
    plane = np.ones((40, 40))
    plane[:, 20:] = 0
    foreground = plane > 0
    plane[18:22, 12:15] = 1.2
    region = planes.zoom_region(plane, foreground, (1.0, 1.0))
    assert foreground[region.inside].mean() >= planes.FILLED_PART and plane[region.inside].max() == 1.2
    assert planes.zoom_region(plane, np.zeros_like(foreground), (1.0, 1.0)).width == region.width


def test_a_regions_edges_lie_around_its_pixels():
    assert Region(2, 4, 3, 1).edges == (3.5, 4.5, 4.5, 1.5)


def test_a_plane_is_drawn_in_mm_with_its_box_and_its_sides():
    axes = place(new_figure(2, 2), 0, 0, 2, 2)
    image = planes.draw_plane(axes, np.zeros((4, 8)), (2.0, 1.0), vmin=0, vmax=1)
    planes.draw_region(axes, Region(1, 2, 2, 4), "black")
    planes.draw_sides(axes, "SPL")
    assert axes.get_aspect() == 2.0 and image.get_extent() == [-0.5, 7.5, 3.5, -0.5]
    (box,) = axes.patches
    assert box.get_bbox().bounds == (1.5, 0.5, 4, 2)
    assert [text.get_text() for text in axes.texts] == ["R", "A"]
