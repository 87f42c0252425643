import numpy as np
import pytest

from udeansr.figures.error_figure import MOST_COLUMNS, draw_errors, error_figure
from udeansr.figures.error_panels import Answer, error_panels
from udeansr.figures.style import ANATOMY, ERRORS, caption_of, figure_style
from udeansr.image.grid import Scale, lr_geometry
from udeansr.image.volume import Geometry, Volume

GRID = Geometry((6, 40, 32), (2.0, 1.0, 1.0))


@pytest.fixture
def made():
    """HR, LR and a maker of answers."""
    rng = np.random.default_rng(2)
    voxels = np.zeros(GRID.shape, np.float32)
    voxels[1:5, 4:36, 5:29] = rng.uniform(0.4, 1.0, (4, 32, 24))
    hr = Volume(voxels, GRID)
    lr = Volume(voxels.reshape(6, 20, 2, 16, 2).mean(axis=(2, 4)), lr_geometry(GRID, Scale(1, 2, 2)))

    def answers(count: int) -> list[Answer]:
        rows = range(1, count + 1)
        return [Answer(f"row_{n}", Volume(voxels + np.float32(n / 10), GRID), f"{n}.00 dB") for n in rows]

    return hr, lr, answers


@pytest.mark.parametrize("count", [1, 5, 7, 13])
def test_all_errors_have_one_scale_all_images_another_and_no_panel_covers_another(made, count):
    hr, lr, answers = made
    panels = error_panels(hr, lr, answers(count), "axial")
    with figure_style():
        figure = error_figure(panels, answers(count), "axial")
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
    hr, lr, answers = made
    panels = error_panels(hr, lr, answers(2), "axial")
    with figure_style():
        figure = error_figure(panels, answers(2), "axial")
    for axes in figure.axes[:-1]:
        (box,), (inset,) = axes.patches, axes.child_axes
        zoom = panels.zoom
        assert box.get_bbox().bounds == (zoom.left - 0.5, zoom.top - 0.5, zoom.width, zoom.height)
        (shown,), (zoomed,) = axes.images, inset.images
        assert (*inset.get_xlim(), *inset.get_ylim()) == zoom.edges
        assert np.array_equal(shown.get_array(), zoomed.get_array())
        assert shown.get_extent() == zoomed.get_extent() and shown.get_clim() == zoomed.get_clim()


def test_titles_and_scores_stand_in_the_order_of_the_rows(made):
    hr, lr, answers = made
    with figure_style():
        figure = error_figure(error_panels(hr, lr, answers(3), "axial"), answers(3), "axial")
    words = [text.get_text() for text in figure.texts]
    assert words == ["HR", "LR (given)", "row 1", "1.00 dB", "row 2", "2.00 dB", "row 3", "3.00 dB"]


def test_a_figure_is_written_twice_the_same(made, tmp_path):
    hr, lr, answers = made
    for name in ("a", "b"):
        draw_errors(hr, lr, answers(2), "sagittal", tmp_path / f"{name}.png", "sub-1")
    for suffix in (".png", ".pdf"):
        one, other = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("a", "b"))
        assert one == other and one
    assert caption_of(tmp_path / "a.png").startswith("SR and its absolute error against HR, sub-1, sagittal slice")
