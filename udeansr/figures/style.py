"""How all figures look, and how they are written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from udeansr.errors import UdeansrError
from udeansr.files import whole_file

WIDTH_IN = 7.2
"""A figure across both columns of a journal's page, inches."""

DOTS_PER_INCH = 300

TITLE_POINTS, TEXT_POINTS, SMALL_POINTS = 7.5, 7.0, 6.0

ANATOMY = "gray"
"""Images are grey; all colour is measurement."""

ERRORS = "magma"
"""Of errors: no error is black, like the air around the head, and lightness alone orders the rest, so that it reads the
same with every colour vision and in a grey print."""

FEATURES = "cividis"
"""Of what has no zero to be dark at: perceptually uniform, made to look alike with and without a deficiency of colour
vision (Nuñez, Anderton, Renslow, PLoS ONE 13(7), 2018)."""

OKABE_ITO = {
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "bluish green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "reddish purple": "#CC79A7",
    "black": "#000000",
}
"""Eight colours that are told apart with every colour vision (Okabe, Ito, 2008): for whatever has no order."""

MARK = OKABE_ITO["sky blue"]
"""Of boxes that are drawn on images: neither grey nor on the map of errors."""

_STYLE: dict = {
    "font.family": "DejaVu Sans",  # it comes with matplotlib: the same figure on every computer
    "font.size": TEXT_POINTS,
    "axes.titlesize": TITLE_POINTS,
    "axes.linewidth": 0.5,
    "mathtext.fontset": "dejavusans",
    "image.interpolation": "nearest",
    "pdf.fonttype": 42,  # text stays text
    "savefig.dpi": DOTS_PER_INCH,
}
_NO_TIME = {"CreationDate": None, "Creator": None, "Producer": None}


@contextmanager
def figure_style() -> Iterator[None]:
    """Make and write figures in it; the caller's own settings of matplotlib neither show nor change."""
    fonts = logging.getLogger("fontTools")  # it tells of each glyph that goes into a PDF
    level = fonts.level
    fonts.setLevel(logging.WARNING)
    try:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_STYLE)  # type: ignore[call-overload]
            yield
    finally:
        fonts.setLevel(level)


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that needs no display, inches."""
    figure = Figure(figsize=(width_in, height_in), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
    """Axes at a place of a figure, in inches from its upper left corner."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left_in / width, 1 - (top_in + height_in) / height, width_in / width, height_in / height))


def write(figure: Figure, left_in: float, top_in: float, text: str, **properties: object) -> None:
    """Text at a place of a figure, in inches from its upper left corner; that is its top and its middle."""
    width, height = figure.get_size_inches()
    wanted: dict = {"ha": "center", "va": "top", "linespacing": 1.15, **properties}
    figure.text(left_in / width, 1 - top_in / height, text, **wanted)


def colour_bar(axes: Axes, shown: ScalarMappable, label: str, beyond: str = "neither") -> None:
    """A lying colour bar that fills its axes.

    Args:
        axes: to be filled.
        shown: what the colours are of.
        label: with the unit.
        beyond: the ends at which there is more than is shown: "neither", "max", "both".
    """
    figure = axes.figure
    assert isinstance(figure, Figure), "axes of a figure of ours"
    ticks = MaxNLocator(max(2, round(2.6 * axes.get_position().width * figure.get_size_inches()[0])))
    bar = figure.colorbar(shown, cax=axes, orientation="horizontal", extend=beyond, ticks=ticks)
    bar.set_label(label, size=SMALL_POINTS, labelpad=1.5)
    bar.ax.tick_params(labelsize=SMALL_POINTS, length=2, width=0.5, pad=1.5)
    bar.outline.set_linewidth(0.5)  # type: ignore[operator]


def save_figure(figure: Figure, path: Path, caption: str) -> Path:
    """Write a figure as PNG and, beside it, as PDF, each whole or not at all; the same figure gives the same bytes.

    Args:
        figure: made within :func:`figure_style`, as this is called.
        path: of the PNG; the folder is made.
        caption: it goes along within both files; :func:`caption_of` reads it.
    Returns: the path.
    Raises:
        UdeansrError: if the disk refuses.
    """
    with whole_file(path) as png, whole_file(path.with_suffix(".pdf")) as pdf:
        figure.savefig(pdf, metadata={**_NO_TIME, "Subject": caption})
        figure.savefig(png, metadata={"Software": None, "Description": caption})
    return path


def caption_of(path: Path) -> str:
    """The caption that a PNG of ours carries; empty where it carries none.

    Raises:
        UdeansrError: if it is no image.
    """
    try:
        with Image.open(path) as image:
            return str(image.info.get("Description", ""))
    except OSError as error:
        raise UdeansrError(f"{path}: no PNG ({error}); remove it and run udeansr_figures again") from error
