"""Figures 5 to 7 of the paper: SR by row, its errors below, and the rules by which panels are chosen."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from udeansr.figures.plane import (
    VIEWS,
    ZOOM_PART,
    Region,
    cut_region,
    draw_plane,
    draw_region,
    draw_sides,
    largest_slice,
    on_screen,
    zoom_region,
)
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

ERROR_PERCENTILE = 99.0
"""Of a row's errors in the slice; the median of that over the rows ends the scale of the errors, so that one row that
failed does not hide the differences between the others."""


@dataclass(frozen=True)
class Reconstruction:
    """SR of a row, and the words under it.

    Attributes:
        title: of the row.
        sr: on the grid of the HR, in the unit of the HR divided by its intensity scale.
        scores: one line.
    """

    title: str
    sr: Volume
    scores: str


@dataclass(frozen=True)
class ErrorPanels:
    """What an error figure shows, before it is drawn.

    Attributes:
        number: the slice, counted along the first axis of the view.
        of: slices there are.
        region: the part of the slice that is drawn, in HR pixels.
        zoom: what is zoomed, in pixels of the region.
        hr: (rows, columns) of the region.
        lr: the whole slice of the LR, in its own pixels.
        lr_edges: left, right, bottom and top edge of that slice, in HR pixels of the region.
        sr: the same of each reconstruction, in HR pixels.
        limit: the end of the colour scale of all errors.
        spacing_mm: of HR rows and columns.
    """

    number: int
    of: int
    region: Region
    zoom: Region
    hr: np.ndarray
    lr: np.ndarray
    lr_edges: tuple[float, float, float, float]
    sr: tuple[np.ndarray, ...]
    limit: float
    spacing_mm: tuple[float, float]

    @property
    def errors(self) -> tuple[np.ndarray, ...]:
        """|SR - HR| of each reconstruction."""
        return tuple(np.abs(one - self.hr) for one in self.sr)


def error_panels(hr: Volume, lr: Volume, reconstructions: list[Reconstruction], view: str) -> ErrorPanels:
    """Choose slice, region and colour scale, all from HR but for the scale.

    Args:
        hr: the truth; its intensity scale is 1.
        lr: what was super-resolved, of the same field of view and unit.
        reconstructions: at least one.
        view: a key of ``VIEWS``.
    """
    truth, coarse = on_screen(hr, view), on_screen(lr, view)
    foreground = foreground_mask(truth.voxels)
    number = largest_slice(foreground)
    region = cut_region(foreground[number])
    spacing_mm = truth.geometry.spacing_mm[1:]
    reference = truth.voxels[number][region.inside]
    coarse_number = number * coarse.voxels.shape[0] // truth.voxels.shape[0]
    whole = Region(-region.top, -region.left, *foreground[number].shape)
    sr = tuple(on_screen(reconstruction.sr, view).voxels[number][region.inside] for reconstruction in reconstructions)
    ends = [np.percentile(np.abs(one - reference), ERROR_PERCENTILE) for one in sr]
    return ErrorPanels(
        number=number,
        of=len(truth.voxels),
        region=region,
        zoom=zoom_region(reference, foreground[number][region.inside], spacing_mm),
        hr=reference,
        lr=coarse.voxels[coarse_number],
        lr_edges=whole.edges,
        sr=sr,
        limit=max(float(np.median(ends)), 1e-6),
        spacing_mm=spacing_mm,
    )


def error_caption(panels: ErrorPanels, view: str, what: str) -> str:
    """What is drawn, and by which rule."""
    return (
        f"SR and its absolute error against HR, {what}, {view} slice {panels.number + 1} of {panels.of}: the one with "
        "the largest foreground of HR, cut to it. LR as it was given lies below HR. Under each SR: PSNR and SSIM "
        "(2-D) of the whole volume, as in the table. Box and inset: of the squares in the centre of HR with a side of "
        f"{ZOOM_PART:.0%} of the shorter one, foreground for the most part, the one with the largest variance; the "
        "inset covers the corner with the least foreground. Grey: from 0 to the 99.5th percentile of HR's "
        f"foreground, which is 1. One scale of errors for all rows, from 0 to {panels.limit:.3f}: the median over rows "
        "of the 99th percentile of the errors shown; what is above has the last colour. The patient's right is on the "
        "left; anterior is up in axial slices and on the left in sagittal ones."
    )


MOST_COLUMNS = 6

INSET_PART = 0.4
"""Side of the inset, as a part of the shorter side of its panel."""

_GAP_IN, _TITLE_IN, _SCORES_IN, _BAR_IN = 0.04, 0.27, 0.17, 0.42


def draw_errors(
    hr: Volume, lr: Volume, reconstructions: list[Reconstruction], view: str, path: Path, what: str
) -> Path:
    """Draw HR, LR and, for each reconstruction, SR with the error below it.

    Args:
        hr: the truth; its intensity scale is 1.
        lr: what was super-resolved, of the same field of view and unit.
        reconstructions: at least one.
        view: a key of ``VIEWS``.
        path: of the PNG; a PDF lies beside it.
        what: whose image of which dataset it is, for the caption.
    Returns: the path.
    Raises:
        UdeansrError: if it cannot be written.
    """
    panels = error_panels(hr, lr, reconstructions, view)
    with figure_style():
        return save_figure(error_figure(panels, reconstructions, view), path, error_caption(panels, view, what))


def error_figure(panels: ErrorPanels, reconstructions: list[Reconstruction], view: str) -> Figure:
    """The figure of what was chosen, within :func:`figure_style`; the reconstructions are those of which it was."""
    sheet = _Sheet(panels, len(reconstructions))
    figure = new_figure(WIDTH_IN, sheet.height_in)
    grey: dict = {"cmap": ANATOMY, "vmin": 0, "vmax": 1}
    errors: dict = {"cmap": ERRORS, "vmin": 0, "vmax": panels.limit}
    sheet.title(figure, 0, "HR")
    first = sheet.panel(figure, 0, 0)
    _draw(first, panels.hr, panels, sheet.inset_corner, **grey)
    draw_sides(first, VIEWS[view])
    sheet.words_between(figure, 0, "LR (given)")
    _draw(sheet.panel(figure, 0, 1), panels.lr, panels, sheet.inset_corner, panels.lr_edges, **grey)
    for number, (reconstruction, sr, error) in enumerate(
        zip(reconstructions, panels.sr, panels.errors, strict=True), 1
    ):
        sheet.title(figure, number, reconstruction.title)
        _draw(sheet.panel(figure, number, 0), sr, panels, sheet.inset_corner, **grey)
        sheet.words_between(figure, number, reconstruction.scores)
        _draw(sheet.panel(figure, number, 1), error, panels, sheet.inset_corner, **errors)
    scale = ScalarMappable(Normalize(0, panels.limit), ERRORS)
    colour_bar(sheet.bar(figure), scale, "|SR - HR|; 1 is the 99.5th percentile of HR's foreground", "max")
    return figure


class _Sheet:
    """Where everything lies, in inches: blocks of titles, SR, scores and errors, HR and LR first of all."""

    def __init__(self, panels: ErrorPanels, reconstructions: int) -> None:
        self.blocks = ceil((reconstructions + 1) / MOST_COLUMNS)
        self.columns = max(ceil((reconstructions + 1) / self.blocks), 4)
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
    **properties: object,
) -> None:
    """A panel with its inset, and the box where that lies; the edges are the plane's, if it is not what is drawn."""
    whole = Region(0, 0, *panels.hr.shape)
    inset = axes.inset_axes(corner)
    for one, region in ((axes, whole), (inset, panels.zoom)):
        draw_plane(one, plane, panels.spacing_mm, extent=edges or whole.edges, **properties)
        left, right, bottom, top = region.edges
        one.set(xlim=(left, right), ylim=(bottom, top))
    draw_region(axes, panels.zoom, MARK)
    inset.set_aspect("auto")
    for edge in inset.spines.values():
        edge.set(visible=True, edgecolor=MARK, linewidth=0.8)
