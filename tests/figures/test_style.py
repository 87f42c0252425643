import logging

import matplotlib
import numpy as np
import pytest
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from udeansr.errors import UdeansrError
from udeansr.figures import style as style


def drawn(path, caption="what it shows"):
    with style.figure_style():
        figure = style.new_figure(2.0, 1.0)
        style.place(figure, 0.5, 0.25, 1.0, 0.5).imshow(np.eye(3))
        style.write(figure, 1.0, 0.1, "a title, $X_t$")
        return style.save_figure(figure, path, caption)


def test_the_same_figure_gives_the_same_bytes_as_png_and_pdf_and_nothing_else(tmp_path):
    for folder in ("one", "two"):
        assert drawn(tmp_path / folder / "a.png") == tmp_path / folder / "a.png"
    for name in ("a.png", "a.pdf"):
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
        assert first == second and len(first) > 1000
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["a.pdf", "a.png"]
    assert b"CreationDate" not in first


def test_it_has_the_dots_that_print_needs_and_carries_its_caption(tmp_path):
    path = drawn(tmp_path / "a.png", "HR – and its SR")
    assert matplotlib.image.imread(path).shape[:2] == (300, 600)
    assert style.caption_of(path) == "HR – and its SR"


def test_the_callers_settings_neither_show_nor_change(tmp_path):
    plain = drawn(tmp_path / "plain.png").read_bytes()
    with matplotlib.rc_context({"figure.facecolor": "red", "font.size": 30, "savefig.dpi": 50}):
        assert drawn(tmp_path / "red.png").read_bytes() == plain
        assert matplotlib.rcParams["font.size"] == 30
    assert logging.getLogger("fontTools").level == logging.NOTSET


def test_places_count_from_the_upper_left_corner():
    figure = style.new_figure(4.0, 2.0)
    box = style.place(figure, 1.0, 0.5, 2.0, 1.0).get_position()
    assert (box.x0, box.y0, box.width, box.height) == (0.25, 0.25, 0.5, 0.5)


def test_a_colour_bar_spans_what_is_shown():
    figure = style.new_figure(4.0, 2.0)
    axes = style.place(figure, 0, 0, 2.0, 0.1)
    style.colour_bar(axes, ScalarMappable(Normalize(0, 0.3), style.ERRORS), "error", "max")
    assert axes.get_xlim() == (0, 0.3) and axes.get_xlabel() == "error"


def test_the_map_of_errors_is_ordered_by_lightness_alone():
    red, green, blue, _ = matplotlib.colormaps[style.ERRORS](np.linspace(0, 1, 64)).T
    lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert lightness[0] < 0.01 and (np.diff(lightness) > 0).all()


def test_a_figure_that_cannot_be_written_is_told_of_and_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UdeansrError, match=r"a\.png: cannot be written \(.+\); check the folder and the disk"):
        drawn(tmp_path / "file" / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_no_image_has_no_caption(tmp_path):
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(UdeansrError, match=r"a\.png: no PNG .*; remove it and run udeansr_figures again"):
        style.caption_of(tmp_path / "a.png")
