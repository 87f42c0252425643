"""Figure 4 of the paper, degradation and features of both cohorts; and what a method gives to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from udeansr.errors import UdeansrError
from udeansr.figures.plane import draw_plane
from udeansr.figures.slabs import PATTERN_PIXELS, Drawn, Slabs, middle_slice
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
from udeansr.methods import METHODS
from udeansr.methods.method import Method
from udeansr.methods.udean import Udean

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


MAPS = 3

LIMIT_PERCENTILES = (1.0, 99.0)
"""Of both maps of a channel together: the ends of their one colour scale."""

_GAP_IN_of_feature_figure, _NAME_IN, _HEAD_IN_of_feature_figure, _BAR_IN_of_feature_figure = 0.06, 0.22, 0.3, 0.36


@dataclass(frozen=True)
class Features:
    """What both encoders make of their slabs, copies of the image left out.

    Attributes:
        channels: those shown, counted from 0 over all features that are learnt, by falling variance.
        source, target: (channels, Y, X) of ``hr_encoder`` and ``lr_encoder``; two subjects, so two sizes.
        learnt: channels there are.
    """

    channels: tuple[int, ...]
    source: Tensor
    target: Tensor
    learnt: int

    def limits(self, number: int) -> tuple[float, float]:
        """The ends of the one colour scale of the pair of maps of a place in ``channels``."""
        both = torch.cat([self.source[number].flatten(), self.target[number].flatten()])
        low, high = np.percentile(both.float().cpu().numpy(), LIMIT_PERCENTILES)
        return float(low), float(max(high, low + 1e-6))


@dataclass(frozen=True)
class FeatureRow:
    """What is shown of a group: its name, images with their titles, and feature maps, named by a letter."""

    name: str
    titles: tuple[str, ...]
    images: tuple[Drawn, ...]
    letter: str
    maps: tuple[Drawn, ...]


def features_of(method: Method, hr: Tensor, lr: Tensor) -> Features:
    """The feature maps of a source slab and of a real one; of all channels those that vary most over the source.

    Args:
        method: a trained ``udean`` or ``udean_paper``.
        hr: (1, slices * sz, Y * sy, X * sx) normalised HR of a source subject.
        lr: (1, slices, y, x) normalised LR of anybody.
    Raises:
        UdeansrError: if the method has not these networks.
    """
    if not isinstance(method, Udean):
        able = ", ".join(name for name, kind in METHODS.items() if issubclass(kind, Udean))
        raise UdeansrError(
            f"{method.name} has no encoders of HR and of LR that meet in one feature space; expected {able}; "
            "choose such rows with --rows"
        )
    with torch.inference_mode():
        source = method.generators.hr_encoder(hr)[0, method.copied :].float()
        target = method.generators.lr_encoder(lr)[0, method.copied :].float()
    order = torch.argsort(source.var(dim=(1, 2)), descending=True, stable=True)[:MAPS]
    channels = tuple(int(channel) for channel in order)
    return Features(channels, source[order], target[order], len(source))


def draw_features(method: Method, slabs: Slabs, path: Path, what: str) -> Path:
    """Draw both cohorts, a row each: HR, degraded HR and features; SR, real LR and features.

    Args:
        method: a trained ``udean`` or ``udean_paper``.
        slabs: of both cohorts.
        path: of the PNG; a PDF lies beside it.
        what: which row of which dataset it is, for the caption.
    Returns: the path.
    Raises:
        UdeansrError: if the method has not these networks, or the figure cannot be written.
    """
    features = features_of(method, slabs.hr, slabs.lr)
    with torch.inference_mode():
        degraded = method.degrade(slabs.hr)
    assert degraded is not None, "UDEAN learns to degrade"
    rows = (
        FeatureRow(
            f"source: {slabs.source}",
            ("HR, $Y_s$", "degraded, $X_{s \\sim t}$"),
            (slabs.drawn(middle_slice(slabs.hr), True), slabs.drawn(middle_slice(degraded), True)),
            "s",
            tuple(slabs.drawn(plane, True) for plane in features.source),
        ),
        FeatureRow(
            f"target: {slabs.target}",
            ("SR, $Y_t$", "real LR, $X_t$"),
            (slabs.drawn(slabs.sr, False), slabs.drawn(middle_slice(slabs.lr), False)),
            "t",
            tuple(slabs.drawn(plane, False) for plane in features.target),
        ),
    )
    with figure_style():
        return save_figure(feature_figure(rows, features), path, _caption_of_feature_figure(features, slabs, what))


def feature_figure(rows: tuple[FeatureRow, ...], features: Features) -> Figure:
    """The figure, within :func:`figure_style`: a row a group, a column an image or a channel."""
    columns = len(rows[0].images) + len(features.channels)
    width_in = (WIDTH_IN - _NAME_IN - (columns + 1) * _GAP_IN_of_feature_figure) / columns
    heights_in = [width_in * max(drawn.rows_by_columns for drawn in row.images + row.maps) for row in rows]
    figure = new_figure(WIDTH_IN, sum(heights_in) + len(rows) * _HEAD_IN_of_feature_figure + _BAR_IN_of_feature_figure)
    lefts_in = [
        _NAME_IN + _GAP_IN_of_feature_figure + column * (width_in + _GAP_IN_of_feature_figure)
        for column in range(columns)
    ]
    top_in = _HEAD_IN_of_feature_figure
    for row, height_in in zip(rows, heights_in, strict=True):
        write(figure, 0.06, top_in + height_in / 2, row.name, rotation=90, ha="left", va="center")
        names = [*row.titles, *(f"$f_{{{row.letter}{number}}}$" for number in range(1, len(row.maps) + 1))]
        for left_in, name in zip(lefts_in, names, strict=True):
            write(figure, left_in + width_in / 2, top_in - 0.04, name, va="bottom")
        panels = [place(figure, left_in, top_in, width_in, height_in) for left_in in lefts_in]
        for axes, drawn in zip(panels, row.images, strict=False):
            draw_plane(axes, drawn.pixels, drawn.spacing_mm, cmap=ANATOMY, vmin=0, vmax=1)
        for number, (axes, drawn) in enumerate(zip(panels[len(row.images) :], row.maps, strict=True)):
            low, high = features.limits(number)
            draw_plane(axes, drawn.pixels, drawn.spacing_mm, cmap=FEATURES, vmin=low, vmax=high)
        top_in += height_in + _HEAD_IN_of_feature_figure
    for number, channel in enumerate(features.channels):
        left_in = lefts_in[len(rows[0].images) + number] + 0.1  # the last numbers reach beyond its ends
        bar = place(figure, left_in, top_in - _HEAD_IN_of_feature_figure + 0.06, width_in - 0.2, 0.07)
        scale = ScalarMappable(Normalize(*features.limits(number)), FEATURES)
        colour_bar(bar, scale, f"channel {channel}", "both")
    return figure


def _caption_of_feature_figure(features: Features, slabs: Slabs, what: str) -> str:
    """What is shown and by which rule."""
    return (
        f"Degradation and features, {what}. Above the source, {slabs.source}: HR (Y_s), its LR as the method degrades "
        f"it (X_s~t), features of HR (f_s). Below the target, {slabs.target}: SR (Y_t), the real LR it was made of "
        "(X_t), features of that LR (f_t). Two subjects: the middle slices of the target's slab around its largest "
        "foreground, and of that slab of the first source by name that is most alike (correlation of the heads, cut "
        f"and brought to {PATTERN_PIXELS} x {PATTERN_PIXELS} pixels). Features: of the {features.learnt} channels that "
        f"are learnt the {len(features.channels)} of the largest variance over the source's slab, the same for both "
        "groups, with one colour scale a pair (1st to 99th percentile of both). Copies of the image among the "
        f"channels are left out. A cycle of features, and their judge if there was one, held "
        "both encoders to one language. Grey: 0 to 1, the 99.5th percentile of the foreground."
    )
