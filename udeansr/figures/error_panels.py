"""What an error figure shows and by which rules it is chosen. Knows volumes in one unit; draws nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from udeansr.figures.plane import ZOOM_PART, Region, cut_region, largest_slice, on_screen, zoom_region
from udeansr.image.cropping import foreground_mask
from udeansr.image.volume import Volume

ERROR_PERCENTILE = 99.0
"""Of a row's errors in the slice; the median of that over the rows ends the scale of the errors, so that one row that
failed does not hide the differences between the others."""


@dataclass(frozen=True)
class Answer:
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
        shown: what of the slice is shown, in HR pixels.
        zoom: what is zoomed, in pixels of what is shown.
        hr: (rows, columns) of what is shown.
        lr: the whole slice of the LR, in its own pixels.
        lr_edges: left, right, bottom and top edge of that slice, in HR pixels of what is shown.
        sr: the same of each answer, in HR pixels.
        limit: the end of the colour scale of all errors.
        spacing_mm: of HR rows and columns.
    """

    number: int
    of: int
    shown: Region
    zoom: Region
    hr: np.ndarray
    lr: np.ndarray
    lr_edges: tuple[float, float, float, float]
    sr: tuple[np.ndarray, ...]
    limit: float
    spacing_mm: tuple[float, float]

    @property
    def errors(self) -> tuple[np.ndarray, ...]:
        """|SR - HR| of each answer."""
        return tuple(np.abs(one - self.hr) for one in self.sr)


def error_panels(hr: Volume, lr: Volume, answers: list[Answer], view: str) -> ErrorPanels:
    """Choose slice, region and colour scale, all from HR but for the scale.

    Args:
        hr: the truth; its intensity scale is 1.
        lr: what was super-resolved, of the same field of view and unit.
        answers: at least one.
        view: a key of ``VIEWS``.
    """
    truth, coarse = on_screen(hr, view), on_screen(lr, view)
    foreground = foreground_mask(truth.voxels)
    number = largest_slice(foreground)
    shown = cut_region(foreground[number])
    spacing_mm = truth.geometry.spacing_mm[1:]
    reference = truth.voxels[number][shown.inside]
    coarse_number = number * coarse.voxels.shape[0] // truth.voxels.shape[0]
    whole = Region(-shown.top, -shown.left, *foreground[number].shape)
    sr = tuple(on_screen(answer.sr, view).voxels[number][shown.inside] for answer in answers)
    ends = [np.percentile(np.abs(one - reference), ERROR_PERCENTILE) for one in sr]
    return ErrorPanels(
        number=number,
        of=len(truth.voxels),
        shown=shown,
        zoom=zoom_region(reference, foreground[number][shown.inside], spacing_mm),
        hr=reference,
        lr=coarse.voxels[coarse_number],
        lr_edges=whole.edges,
        sr=sr,
        limit=max(float(np.median(ends)), 1e-6),
        spacing_mm=spacing_mm,
    )


def error_caption(panels: ErrorPanels, view: str, what: str) -> str:
    """What is shown and by which rule."""
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
