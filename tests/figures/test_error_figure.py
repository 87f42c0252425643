import numpy as np
import pytest

from udeansr.figures.error_figure import (
    MOST_COLUMNS,
    Reconstruction,
    draw_errors,
    error_caption,
    error_figure,
    error_panels,
)
from udeansr.figures.plane import VIEWS
from udeansr.figures.style import ANATOMY, ERRORS, caption_of, figure_style
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
    return Reconstruction(f"off by {amount}", reorient(Volume(truth.voxels + np.float32(amount), GRID), stored), "")


def test_the_slice_the_cut_and_the_zoom_hang_on_hr_alone(truth, lr):
    some, other = (error_panels(truth, lr, [off_by(truth, amount)], "axial") for amount in (0.1, 0.9))
    assert (some.number, some.of) == (other.number, other.of) == (7, 12)
    assert some.region == other.region and some.zoom == other.zoom
    assert some.hr.shape == (32, 24) and some.hr.shape == some.sr[0].shape
    assert some.spacing_mm == (1.0, 1.0)


def test_errors_are_absolute_and_rows_are_compared_at_one_place_however_stored(truth, lr):
    reconstructions = [off_by(truth, 0.25), off_by(truth, -0.25, "RAS"), off_by(truth, 0.0, "PSL")]
    for view in VIEWS:
        one, other, none = error_panels(truth, lr, reconstructions, view).errors
        assert np.allclose(one, 0.25, atol=1e-6) and np.allclose(other, 0.25, atol=1e-6) and not none.any()


def test_one_row_that_failed_does_not_end_the_scale(truth, lr):
    reconstructions = [off_by(truth, amount) for amount in (0.1, 0.2, 30.0)]
    assert error_panels(truth, lr, reconstructions, "axial").limit == pytest.approx(0.2, rel=1e-5)
    assert error_panels(truth, lr, [off_by(truth, 0.0)], "axial").limit > 0


def test_lr_is_shown_at_the_place_of_hr(truth, lr):
    panels = error_panels(truth, lr, [off_by(truth, 0.0)], "axial")
    shown, (left, right, bottom, top) = panels.region, panels.lr_edges
    assert (right - left, bottom - top) == (32, 40)
    assert (left, top) == (-0.5 - shown.left, -0.5 - shown.top)
    assert np.array_equal(panels.lr, lr.voxels[7])


def test_the_caption_says_what_and_by_which_rules(truth, lr):
    panels = error_panels(truth, lr, [off_by(truth, 0.125)], "coronal")
    caption = error_caption(panels, "coronal", "sub-1 of Dataset001_A")
    assert f"sub-1 of Dataset001_A, coronal slice {panels.number + 1} of 40" in caption
    assert "from 0 to 0.125" in caption and "largest variance" in caption


FIGURE_GRID = Geometry((6, 40, 32), (2.0, 1.0, 1.0))


@pytest.fixture
def made():
    """HR, LR and a maker of reconstructions."""
    rng = np.random.default_rng(2)
    voxels = np.zeros(FIGURE_GRID.shape, np.float32)
    voxels[1:5, 4:36, 5:29] = rng.uniform(0.4, 1.0, (4, 32, 24))
    hr = Volume(voxels, FIGURE_GRID)
    lr = Volume(voxels.reshape(6, 20, 2, 16, 2).mean(axis=(2, 4)), lr_geometry(FIGURE_GRID, Scale(1, 2, 2)))

    def reconstructions(count: int) -> list[Reconstruction]:
        rows = range(1, count + 1)
        return [
            Reconstruction(f"row_{n}", Volume(voxels + np.float32(n / 10), FIGURE_GRID), f"{n}.00 dB") for n in rows
        ]

    return hr, lr, reconstructions


@pytest.mark.parametrize("count", [1, 5, 7, 13])
def test_all_errors_have_one_scale_all_images_another_and_no_panel_covers_another(made, count):
    hr, lr, reconstructions = made
    panels = error_panels(hr, lr, reconstructions(count), "axial")
    with figure_style():
        figure = error_figure(panels, reconstructions(count), "axial")
    drawn = [axes.images[0] for axes in figure.axes if axes.images]
    grey = [image for image in drawn if image.get_cmap().name == ANATOMY]
    errors = [image for image in drawn if image.get_cmap().name == ERRORS]
    assert len(grey) == count + 2 and len(errors) == count
    assert {image.get_clim() for image in grey} == {(0, 1)}
    assert {image.get_clim() for image in errors} == {(0, panels.limit)}
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert not [one for i, one in enumerate(boxes) for other in boxes[:i] if one.shrunk(0.99, 0.99).overlaps(other)]
    assert len({round(box.x0, 6) for box in boxes[:-1]}) <= MOST_COLUMNS


def test_every_panel_has_the_box_and_the_inset_of_one_region(made):
    hr, lr, reconstructions = made
    panels = error_panels(hr, lr, reconstructions(2), "axial")
    with figure_style():
        figure = error_figure(panels, reconstructions(2), "axial")
    for axes in figure.axes[:-1]:
        (box,), (inset,) = axes.patches, axes.child_axes
        zoom = panels.zoom
        assert box.get_bbox().bounds == (zoom.left - 0.5, zoom.top - 0.5, zoom.width, zoom.height)
        (shown,), (zoomed,) = axes.images, inset.images
        assert (*inset.get_xlim(), *inset.get_ylim()) == zoom.edges
        assert np.array_equal(shown.get_array(), zoomed.get_array())
        assert shown.get_extent() == zoomed.get_extent() and shown.get_clim() == zoomed.get_clim()


def test_titles_and_scores_stand_in_the_order_of_the_rows(made):
    hr, lr, reconstructions = made
    with figure_style():
        figure = error_figure(error_panels(hr, lr, reconstructions(3), "axial"), reconstructions(3), "axial")
    words = [text.get_text() for text in figure.texts]
    assert words == ["HR", "LR (given)", "row 1", "1.00 dB", "row 2", "2.00 dB", "row 3", "3.00 dB"]


def test_a_figure_is_written_twice_the_same(made, tmp_path):
    hr, lr, reconstructions = made
    for name in ("a", "b"):
        draw_errors(hr, lr, reconstructions(2), "sagittal", tmp_path / f"{name}.png", "sub-1")
    for suffix in (".png", ".pdf"):
        one, other = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("a", "b"))
        assert one == other and one
    assert caption_of(tmp_path / "a.png").startswith("SR and its absolute error against HR, sub-1, sagittal slice")
