import numpy as np
import pytest

from udeansr.figures.error_panels import Answer, error_caption, error_panels
from udeansr.figures.plane import VIEWS
from udeansr.image.grid import Scale, lr_geometry, reorient
from udeansr.image.volume import Geometry, Volume

GRID = Geometry((12, 40, 32), (2.0, 1.0, 1.0))


@pytest.fixture
def truth():
    """A head in air: a box of noise, widest in slice 7."""
    rng = np.random.default_rng(2)
    voxels = np.zeros(GRID.shape, np.float32)
    voxels[3:10, 8:36, 6:28] = rng.uniform(0.4, 1.0, (7, 28, 22))
    voxels[7, 6:36, 6:28] = rng.uniform(0.4, 1.0, (30, 22))
    return Volume(voxels, GRID)


@pytest.fixture
def lr(truth):
    means = truth.voxels.reshape(12, 20, 2, 16, 2).mean(axis=(2, 4))
    return Volume(means, lr_geometry(GRID, Scale(1, 2, 2)))


def off_by(truth, amount, stored="SPL"):
    return Answer(f"off by {amount}", reorient(Volume(truth.voxels + np.float32(amount), GRID), stored), "")


def test_the_slice_the_cut_and_the_zoom_hang_on_hr_alone(truth, lr):
    some, other = (error_panels(truth, lr, [off_by(truth, amount)], "axial") for amount in (0.1, 0.9))
    assert (some.number, some.of) == (other.number, other.of) == (7, 12)
    assert some.shown == other.shown and some.zoom == other.zoom
    assert some.hr.shape == (32, 24) and some.hr.shape == some.sr[0].shape
    assert some.spacing_mm == (1.0, 1.0)


def test_errors_are_absolute_and_rows_are_compared_at_one_place_however_stored(truth, lr):
    answers = [off_by(truth, 0.25), off_by(truth, -0.25, "RAS"), off_by(truth, 0.0, "PSL")]
    for view in VIEWS:
        one, other, none = error_panels(truth, lr, answers, view).errors
        assert np.allclose(one, 0.25, atol=1e-6) and np.allclose(other, 0.25, atol=1e-6) and not none.any()


def test_one_row_that_failed_does_not_end_the_scale(truth, lr):
    answers = [off_by(truth, amount) for amount in (0.1, 0.2, 30.0)]
    assert error_panels(truth, lr, answers, "axial").limit == pytest.approx(0.2, rel=1e-5)
    assert error_panels(truth, lr, [off_by(truth, 0.0)], "axial").limit > 0


def test_lr_is_shown_at_the_place_of_hr(truth, lr):
    panels = error_panels(truth, lr, [off_by(truth, 0.0)], "axial")
    shown, (left, right, bottom, top) = panels.shown, panels.lr_edges
    assert (right - left, bottom - top) == (32, 40)
    assert (left, top) == (-0.5 - shown.left, -0.5 - shown.top)
    assert np.array_equal(panels.lr, lr.voxels[7])


def test_the_caption_says_what_and_by_which_rules(truth, lr):
    panels = error_panels(truth, lr, [off_by(truth, 0.125)], "coronal")
    caption = error_caption(panels, "coronal", "sub-1 of Dataset001_A")
    assert f"sub-1 of Dataset001_A, coronal slice {panels.number + 1} of 40" in caption
    assert "from 0 to 0.125" in caption and "largest variance" in caption
