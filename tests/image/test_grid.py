import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udeansr.errors import UdeansrError
from udeansr.image.grid import (
    Scale,
    equal_spacing,
    format_spacing,
    lr_geometry,
    reorient,
    reorient_geometry,
    same_grid,
    slab_orientation,
    spacing_difference,
    sr_geometry,
    sub_geometry,
)
from udeansr.image.volume import Geometry, Volume

OBLIQUE = ((0.0, -0.6, 0.8), (0.0, 0.8, 0.6), (-1.0, 0.0, 0.0))
ORIENTATIONS = [
    "".join(letters) for axes in itertools.permutations(("LR", "AP", "SI")) for letters in itertools.product(*axes)
]
scales = st.builds(Scale, *[st.integers(1, 4)] * 3)
shapes = st.tuples(*[st.integers(1, 9)] * 3)
spacings = st.tuples(*[st.floats(0.3, 6)] * 3)


def corners_of_field_of_view(geometry: Geometry) -> np.ndarray:
    outer = [(-0.5, n - 0.5) for n in geometry.shape]
    return geometry.world_mm(np.array(list(itertools.product(*outer))))


@pytest.mark.parametrize("text", ["x2x2x1", "2x2x1", " X2X2X1 "])
def test_scale_reads_the_papers_notation(text):
    assert Scale.parse(text) == Scale(z=1, y=2, x=2)
    assert str(Scale.parse("x3x2x1")) == "x3x2x1"
    assert Scale.parse("x3x2x1").zyx == (1, 2, 3)


@pytest.mark.parametrize("text", ["x1x1x1", "x2x2", "x0x2x2", "x9x2x2", "two", "x2x2x2x2", "x2.5x2x2"])
def test_what_is_no_scale_is_refused(text):
    with pytest.raises(UdeansrError, match="is not a scale; expected in-plane x in-plane x through-plane"):
        Scale.parse(text)


@given(shapes, spacings, scales)
def test_hr_voxels_tile_lr_voxels(shape, spacing, scale):
    lr = Geometry(shape, spacing, (-12.5, 3.25, 80.0), OBLIQUE)
    sr = sr_geometry(lr, scale)
    assert np.allclose(corners_of_field_of_view(sr), corners_of_field_of_view(lr), atol=1e-9)
    assert same_grid(lr_geometry(sr, scale), lr, tolerance_mm=1e-9)


def test_lr_grid_needs_sides_that_divide():
    with pytest.raises(ValueError, match="does not divide"):
        lr_geometry(Geometry((3, 4, 4), (1, 1, 1)), Scale(2, 2, 2))


@pytest.mark.parametrize("stored", ORIENTATIONS)
@pytest.mark.parametrize("wanted", ["SPL", "LSP", "PIR"])
def test_reorienting_moves_no_voxel_in_the_world_and_comes_back(stored, wanted):
    base = Volume(np.arange(24).reshape(2, 3, 4), Geometry((2, 3, 4), (2.0, 1.0, 0.5), (5.0, -6.0, 7.0), OBLIQUE))
    start = reorient(base, stored)
    turned = reorient(start, wanted)
    assert turned.geometry.orientation == wanted
    assert turned.geometry == reorient_geometry(start.geometry, wanted)
    places = {
        float(volume.voxels[index]): volume.geometry.world_mm(index)
        for volume in (turned,)
        for index in np.ndindex(*volume.voxels.shape)
    }
    for index in np.ndindex(*base.voxels.shape):
        assert np.allclose(places[float(base.voxels[index])], base.geometry.world_mm(index))
    back = reorient(turned, stored)
    assert np.array_equal(back.voxels, start.voxels)
    assert same_grid(back.geometry, start.geometry, tolerance_mm=1e-9)


@pytest.mark.parametrize("orientation", ["SPP", "SXL", "SIL"])
def test_what_is_no_orientation_is_refused(orientation):
    with pytest.raises(ValueError, match="is no orientation"):
        reorient_geometry(Geometry((2, 2, 2), (1, 1, 1)), orientation)


@pytest.mark.parametrize(
    ("axes", "spacing", "orientation"),
    [
        (((0, 0, 1), (0, 1, 0), (1, 0, 0)), (2.0, 1.0, 1.0), "SPL"),
        (((0, 0, 1), (0, 1, 0), (1, 0, 0)), (1.0, 1.0, 2.0), "LSP"),
        (((1, 0, 0), (0, 0, -1), (0, 1, 0)), (1.0, 1.0, 1.0), "LSP"),  # a tie: the last stored axis is array axis 0
        (((0, 0, 1), (0, 1, 0), (1, 0, 0)), (1.0, 1.0004, 1.0), "SPL"),  # a tie to 0.1 %
        (((0, 0, 1), (0, 1, 0), (1, 0, 0)), (1.0, 4.0, 1.0), "PSL"),
    ],
)
def test_slab_axis_is_the_coarsest(axes, spacing, orientation):
    assert slab_orientation(Geometry((4, 4, 4), spacing, (0, 0, 0), axes)) == orientation


def test_box_keeps_its_voxels_in_place():
    whole = Geometry((8, 8, 8), (2.0, 1.0, 0.5), (1.0, 2.0, 3.0), OBLIQUE)
    part = sub_geometry(whole, (1, -2, 3), (4, 4, 4))
    assert np.allclose(part.world_mm((0, 2, 1)), whole.world_mm((1, 0, 4)))


def test_same_grid_looks_at_every_corner():
    grid = Geometry((100, 100, 100), (1.0, 1.0, 1.0))
    assert same_grid(grid, Geometry((100, 100, 100), (1.0, 1.0, 1.000001)))
    assert not same_grid(grid, Geometry((100, 100, 100), (1.0, 1.0, 1.001)))
    assert not same_grid(grid, Geometry((100, 100, 99), (1.0, 1.0, 1.0)))


def test_spacings_are_equal_up_to_two_percent():
    assert equal_spacing((2.0, 1.0, 1.0), (2.039, 1.0, 0.981))
    assert not equal_spacing((2.0, 1.0, 1.0), (2.0, 1.0, 1.03))
    assert equal_spacing((2.0, 1.0, 1.0), (2.0, 1.0, 1.03), tolerance=0.05)
    assert spacing_difference((2.0, 1.0, 1.1), (2.0, 1.25, 1.0)) == pytest.approx(0.2)


def test_a_spacing_in_words():
    assert format_spacing((2.0, 0.86805, 5.0)) == "2 x 0.868 x 5 mm"
