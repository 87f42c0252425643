import numpy as np

from udeansr.image.grid import oriented_view, reorient_geometry, respaced_geometry
from udeansr.image.resampling import respace
from udeansr.image.volume import Geometry, Volume
from udeansr.prediction.canvas import Canvas

MADE = Geometry((6, 5, 4), (2.0, 1.0, 1.0))
SLICES = np.random.default_rng(0).normal(0.5, 1, MADE.shape).astype(np.float32)


def painted(stored: Geometry, magnitudes: bool = False) -> np.ndarray:
    volume = Volume(np.full(stored.shape, 7, np.float32), stored)
    canvas = Canvas(volume, MADE.orientation, MADE, lambda block: 10 * block)
    for first in (4, 0, 2):
        canvas.put(first, SLICES[first : first + 2])
    canvas.finish(magnitudes)
    return volume.voxels


def test_slices_go_to_their_place_in_the_stored_order():
    stored = reorient_geometry(MADE, "LAI")
    seen = oriented_view(painted(stored), "LAI", MADE.orientation)
    np.testing.assert_array_equal(seen, 10 * SLICES)


def test_on_another_spacing_they_are_respaced_once_all_are_there():
    finer = respaced_geometry(MADE, (1.0, 1.0, 1.0))
    expected = respace(SLICES, MADE.spacing_mm, finer.spacing_mm)
    np.testing.assert_allclose(painted(finer), 10 * expected, rtol=1e-6)
    np.testing.assert_allclose(painted(finer, magnitudes=True), 10 * np.maximum(expected, 0), rtol=1e-6)
