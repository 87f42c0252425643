"""What a method gives to be looked at, beside what it was shown. Knows maps by name; knows no method."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from udeansr.figures.plane import draw_plane
from udeansr.figures.slabs import Drawn, Slabs, middle_slice
from udeansr.figures.style import (
    ANATOMY,
    FEATURES,
    WIDTH_IN,
    colour_bar,
    figure_style,
    new_figure,
    place,
    save_figure,
    write,
)
from udeansr.methods.method import Method

_GAP_IN, _HEAD_IN, _BAR_IN = 0.06, 0.24, 0.36
_LEAST_COLUMNS = 4


def draw_explanations(method: Method, slabs: Slabs, path: Path, what: str) -> Path | None:
    """Draw a method's maps in a row, after the HR and the LR that they are of.

    Args:
        method: a trained one.
        slabs: of both cohorts.
        path: of the PNG; a PDF lies beside it.
        what: which row of which dataset it is, for the caption.
    Returns: the path; None where the method has no maps.
    Raises:
        UdeansrError: if it cannot be written.
    """
    with torch.inference_mode():
        maps = method.explanations(slabs.hr, slabs.lr)
    if not maps:
        return None
    given = {"HR of the source": slabs.hr, "real LR": slabs.lr}
    shown = {name: _drawn(slabs, slab) for name, slab in {**given, **maps}.items()}
    columns = max(len(shown), _LEAST_COLUMNS)
    width_in = (WIDTH_IN - (columns + 1) * _GAP_IN) / columns
    height_in = width_in * max(drawn.rows_by_columns for drawn in shown.values())
    with figure_style():
        figure = new_figure(WIDTH_IN, height_in + _HEAD_IN + _BAR_IN)
        for column, (name, drawn) in enumerate(shown.items()):
            left_in = _GAP_IN + column * (width_in + _GAP_IN)
            write(figure, left_in + width_in / 2, _HEAD_IN - 0.04, name.replace("_", " "), va="bottom")
            axes = place(figure, left_in, _HEAD_IN, width_in, height_in)
            is_map = name in maps and name.endswith("map")  # as Method.explanations names what is no image
            colours = FEATURES if is_map else ANATOMY
            image = draw_plane(axes, drawn.pixels, drawn.spacing_mm, cmap=colours, vmin=0, vmax=1)
            if is_map:
                colour_bar(place(figure, left_in + 0.1, _HEAD_IN + height_in + 0.06, width_in - 0.2, 0.07), image, "")
        return save_figure(figure, path, _caption(method, list(maps), slabs, what))


def _drawn(slabs: Slabs, values: Tensor) -> Drawn:
    """The middle of what the method gave, on the grid it lies on: the source's, unless it fits the target's alone."""
    plane = middle_slice(values)
    try:
        return slabs.drawn(plane, of_source=True)
    except ValueError:
        return slabs.drawn(plane, of_source=False)


def _caption(method: Method, names: list[str], slabs: Slabs, what: str) -> str:
    return (
        f"What {method.name} gives to be looked at, {what}: {', '.join(names).replace('_', ' ')}. Beside it the slabs "
        f"it was shown: HR of {slabs.source} and real LR of {slabs.target}, the middle slices of the slab around the "
        "largest foreground of the LR and of the one of the HR that is most alike. All from 0 to 1: in grey images, of "
        "which 1 is the 99.5th percentile of the foreground, in colour what is no image."
    )
