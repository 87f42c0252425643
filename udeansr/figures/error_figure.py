"""Figures 5 to 7 of the paper: SR by row, its errors below. Knows where panels lie on a sheet; chooses none."""

from __future__ import annotations

import textwrap
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from udeansr.figures.error_panels import Answer, ErrorPanels, error_caption, error_panels
from udeansr.figures.plane import VIEWS, Region, draw_plane, draw_region, draw_sides
from udeansr.figures.style import (
    ANATOMY,
    ERRORS,
    MARK,
    TITLE_POINTS,
    WIDTH_IN,
    colour_bar,
    figure_style,
    new_figure,
    place,
    save_figure,
    write,
)
from udeansr.image.cropping import foreground_mask
from udeansr.image.volume import Volume

MOST_COLUMNS = 6

INSET_PART = 0.4
"""Side of the inset, as a part of the shorter side of its panel."""

_GAP_IN, _TITLE_IN, _SCORES_IN, _BAR_IN = 0.04, 0.27, 0.17, 0.42


def draw_errors(hr: Volume, lr: Volume, answers: list[Answer], view: str, path: Path, what: str) -> Path:
    """Draw HR, LR and, for each answer, SR with the error below it.

    Args:
        hr: the truth; its intensity scale is 1.
        lr: what was super-resolved, of the same field of view and unit.
        answers: at least one.
        view: a key of ``VIEWS``.
        path: of the PNG; a PDF lies beside it.
        what: whose image of which dataset it is, for the caption.
    Returns: the path.
    Raises:
        UdeansrError: if it cannot be written.
    """
    panels = error_panels(hr, lr, answers, view)
    with figure_style():
        return save_figure(error_figure(panels, answers, view), path, error_caption(panels, view, what))


def error_figure(panels: ErrorPanels, answers: list[Answer], view: str) -> Figure:
    """The figure of what was chosen, within :func:`figure_style`; the answers are those of which it was."""
    sheet = _Sheet(panels, len(answers))
    figure = new_figure(WIDTH_IN, sheet.height_in)
    grey: dict = {"cmap": ANATOMY, "vmin": 0, "vmax": 1}
    errors: dict = {"cmap": ERRORS, "vmin": 0, "vmax": panels.limit}
    sheet.title(figure, 0, "HR")
    first = sheet.panel(figure, 0, 0)
    _draw(first, panels.hr, panels, sheet.inset_corner, **grey)
    draw_sides(first, VIEWS[view])
    sheet.words_between(figure, 0, "LR (given)")
    _draw(sheet.panel(figure, 0, 1), panels.lr, panels, sheet.inset_corner, panels.lr_edges, **grey)
    for number, (answer, sr, error) in enumerate(zip(answers, panels.sr, panels.errors, strict=True), 1):
        sheet.title(figure, number, answer.title)
        _draw(sheet.panel(figure, number, 0), sr, panels, sheet.inset_corner, **grey)
        sheet.words_between(figure, number, answer.scores)
        _draw(sheet.panel(figure, number, 1), error, panels, sheet.inset_corner, **errors)
    scale = ScalarMappable(Normalize(0, panels.limit), ERRORS)
    colour_bar(sheet.bar(figure), scale, "|SR - HR|; 1 is the 99.5th percentile of HR's foreground", "max")
    return figure


class _Sheet:
    """Where everything lies, in inches: blocks of titles, SR, scores and errors, HR and LR first of all."""

    def __init__(self, panels: ErrorPanels, answers: int) -> None:
        self.blocks = ceil((answers + 1) / MOST_COLUMNS)
        self.columns = max(ceil((answers + 1) / self.blocks), 4)
        self.width_in = (WIDTH_IN - (self.columns + 1) * _GAP_IN) / self.columns
        rows_mm, columns_mm = (n * mm for n, mm in zip(panels.hr.shape, panels.spacing_mm, strict=True))
        self.panel_in = self.width_in * rows_mm / columns_mm
        self.block_in = _TITLE_IN + 2 * self.panel_in + _SCORES_IN + 2 * _GAP_IN
        self.height_in = self.blocks * self.block_in + _BAR_IN
        self.inset_corner = _inset_corner(panels, rows_mm / columns_mm)

    def _corner(self, number: int) -> tuple[float, float]:
        block, column = divmod(number, self.columns)
        return _GAP_IN + column * (self.width_in + _GAP_IN), block * self.block_in

    def panel(self, figure: Figure, number: int, below: int) -> Axes:
        left, top = self._corner(number)
        top += _TITLE_IN + below * (self.panel_in + _SCORES_IN)
        return place(figure, left, top, self.width_in, self.panel_in)

    def title(self, figure: Figure, number: int, text: str) -> None:
        left, top = self._corner(number)
        lines = textwrap.wrap(text.replace("_", " "), max(round(self.width_in * 17), 8))[:2]
        write(
            figure, left + self.width_in / 2, top + _TITLE_IN - 0.03, "\n".join(lines), va="bottom", size=TITLE_POINTS
        )

    def words_between(self, figure: Figure, number: int, text: str) -> None:
        left, top = self._corner(number)
        write(figure, left + self.width_in / 2, top + _TITLE_IN + self.panel_in + 0.035, text)

    def bar(self, figure: Figure) -> Axes:
        return place(figure, WIDTH_IN / 2 - 1.5, self.height_in - _BAR_IN + 0.06, 3.0, 0.09)


def _inset_corner(panels: ErrorPanels, rows_by_columns: float) -> tuple[float, float, float, float]:
    """Left, bottom, width, height of the inset in parts of a panel: the corner that hides least of the head.

    A corner in which the zoomed region itself lies is none.
    """
    height = INSET_PART * min(1.0, 1 / rows_by_columns)
    width = INSET_PART * min(1.0, rows_by_columns)
    rows, columns = panels.hr.shape
    tall, wide = round(height * rows), round(width * columns)
    foreground = foreground_mask(panels.hr)
    zoom = np.zeros_like(foreground)
    zoom[panels.zoom.inside] = True
    hidden = {}
    for top, left in ((1, 1), (1, 0), (0, 1), (0, 0)):
        corner = np.s_[rows - tall :] if top else np.s_[:tall], np.s_[columns - wide :] if left else np.s_[:wide]
        hidden[top, left] = (bool(zoom[corner].any()), int(foreground[corner].sum()))
    low, right = min(hidden, key=lambda place: hidden[place])
    return (1 - width if right else 0.0, 0.0 if low else 1 - height, width, height)


def _draw(
    axes: Axes,
    plane: np.ndarray,
    panels: ErrorPanels,
    corner: tuple[float, float, float, float],
    edges: tuple[float, float, float, float] | None = None,
    **shown: object,
) -> None:
    """A panel with its inset, and the box where that lies; the edges are the plane's, if it is not what is shown."""
    whole = Region(0, 0, *panels.hr.shape)
    inset = axes.inset_axes(corner)
    for one, region in ((axes, whole), (inset, panels.zoom)):
        draw_plane(one, plane, panels.spacing_mm, extent=edges or whole.edges, **shown)
        left, right, bottom, top = region.edges
        one.set(xlim=(left, right), ylim=(bottom, top))
    draw_region(axes, panels.zoom, MARK)
    inset.set_aspect("auto")
    for edge in inset.spines.values():
        edge.set(visible=True, edgecolor=MARK, linewidth=0.8)
