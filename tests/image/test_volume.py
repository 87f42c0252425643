import numpy as np
import pytest

from udeansr.image.volume import Geometry, Volume, triple
from udeansr.strict_json import as_json, from_json

OBLIQUE = ((0.0, -0.6, 0.8), (0.0, 0.8, 0.6), (-1.0, 0.0, 0.0))


def test_geometry_survives_json():
    geometry = Geometry((3, 4, 5), (2.0, 1.0, 0.5), (-90.5, 12.0, 7.25), OBLIQUE)
    assert from_json(Geometry, as_json(geometry), "here") == geometry


def test_world_position_steps_along_the_axes_by_the_spacing():
    geometry = Geometry((3, 4, 5), (2.0, 1.0, 0.5), (10.0, 20.0, 30.0))
    assert np.allclose(geometry.world_mm((1, 0, 0)), (10, 20, 32))
    assert np.allclose(geometry.world_mm((0, 0, 4)), (12, 20, 30))
    assert np.allclose(geometry.world_mm([(0, 0, 0), (0.5, 0, 0)]), [(10, 20, 30), (10, 20, 31)])


@pytest.mark.parametrize(
    ("axes", "orientation"),
    [
        (((0, 0, 1), (0, 1, 0), (1, 0, 0)), "SPL"),
        (((0, 0, 1), (0, -1, 0), (-1, 0, 0)), "SAR"),
        (((1, 0, 0), (0, 0, -1), (0, 1, 0)), "LIP"),
        (OBLIQUE, "SPR"),
        # Two axes closest to one world axis: each world axis is still named once.
        (((0.71, 0.7042, 0.0), (0.7042, -0.71, 0.0), (0.0, 0.0, 1.0)), "LAS"),
    ],
)
def test_orientation_names_the_nearest_anatomical_directions(axes, orientation):
    assert Geometry((2, 2, 2), (1, 1, 1), (0, 0, 0), axes).orientation == orientation


def test_voxels_and_geometry_have_one_shape():
    with pytest.raises(ValueError, match="geometry says"):
        Volume(np.zeros((2, 3, 4)), Geometry((2, 3, 5), (1, 1, 1)))


def test_a_triple_is_of_three():
    assert triple(n * 2 for n in range(3)) == (0, 2, 4)
    with pytest.raises(ValueError, match="too many values"):
        triple(range(4))
