"""A plane of a volume as a radiologist expects it, and what of it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from scipy import ndimage

from udeansr.figures.style import SMALL_POINTS
from udeansr.image.grid import reorient
from udeansr.image.volume import Geometry, Volume

VIEWS = {"axial": "SPL", "coronal": "PIL", "sagittal": "LIP"}
"""Orientations in which the slices of a view lie along the first axis, rows run down and columns to the right: the
patient's right is on the left of the screen, anterior is up in axial slices and on the left in sagittal ones."""

ZOOM_PART = 0.18
"""Side of the region that is zoomed, as a part of the shorter side of what is shown."""

CENTRE_PART = 0.5
"""The region's middle lies in this part of what is shown, along both axes."""

FILLED_PART = 0.9
"""The region holds at least this part of foreground, if any in the centre does: the head's edge is no structure."""

_OPPOSITE = dict(zip("LRAPSI", "RLPAIS", strict=True))


@dataclass(frozen=True)
class Region:
    """Pixels of a plane: the first row and column, and how many."""

    top: int
    left: int
    height: int
    width: int

    @property
    def inside(self) -> tuple[slice, slice]:
        """The pixels as an index."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge, as matplotlib counts: the middle of the first pixel is 0."""
        return self.left - 0.5, self.left + self.width - 0.5, self.top + self.height - 0.5, self.top - 0.5


def view_of(orientation: str) -> str:
    """The view whose slices lie across the first axis of an orientation (Z, Y, X)."""
    across = {orientation[0], _OPPOSITE[orientation[0]]}
    return next(view for view, letters in VIEWS.items() if letters[0] in across)


def on_screen(volume: Volume, view: str) -> Volume:
    """A volume whose slices are those of a view, each the right way up."""
    return reorient(volume, VIEWS[view])


def plane_on_screen(plane: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, Geometry]:
    """One slice across the first axis of a grid, the right way up, and its grid of one slice.

    Args:
        plane: (Y, X) of the geometry.
        geometry: of the volume in which it lies.
    """
    one = Geometry((1, *geometry.shape[1:]), geometry.spacing_mm, geometry.origin_mm, geometry.axes)
    shown = on_screen(Volume(plane[None], one), view_of(geometry.orientation))
    return shown.voxels[0], shown.geometry


def largest_slice(foreground: np.ndarray) -> int:
    """The slice along the first axis with the most foreground; the first of equal ones."""
    return int(np.argmax(np.count_nonzero(foreground, axis=(1, 2))))


def cut_region(foreground: np.ndarray, margin_part: float = 0.04) -> Region:
    """The smallest region that holds the foreground of a plane, with a margin; all of it where there is none."""
    found = ndimage.find_objects(foreground.astype(np.uint8), max_label=1)[0]
    if found is None:
        return Region(0, 0, *foreground.shape)
    starts, sides = [], []
    for part, side in zip(found, foreground.shape, strict=True):
        margin = round(margin_part * (part.stop - part.start))
        starts.append(max(part.start - margin, 0))
        sides.append(min(part.stop + margin, side) - starts[-1])
    return Region(*starts, *sides)


def zoom_region(plane: np.ndarray, foreground: np.ndarray, spacing_mm: tuple[float, float]) -> Region:
    """The square region, in mm, of the largest variance in the centre of a plane; the first of equal ones.

    Args:
        plane: (rows, columns) of the HR that are shown.
        foreground: of the same pixels; regions that hold too little of it count only where no other is.
        spacing_mm: of rows and columns.
    """
    side_mm = ZOOM_PART * min(n * mm for n, mm in zip(plane.shape, spacing_mm, strict=True))
    height, width = (min(max(round(side_mm / mm), 2), n) for n, mm in zip(plane.shape, spacing_mm, strict=True))
    sides = (height, width)
    centre = tuple(_central(n, side) for n, side in zip(plane.shape, sides, strict=True))
    mean, power, filled = (_window_means(one, sides)[centre] for one in (plane, np.square(plane), foreground))
    variance = np.where(filled >= min(FILLED_PART, filled.max()), power - mean * mean, -np.inf)
    row, column = np.unravel_index(int(np.argmax(variance)), variance.shape)
    return Region(centre[0].start + int(row), centre[1].start + int(column), *sides)


def _central(length: int, side: int) -> slice:
    """The first pixels of the windows of a side whose middle lies in the central part of a length."""
    low, high = (round((1 + sign * CENTRE_PART) / 2 * length - side / 2) for sign in (-1, 1))
    first = min(max(low, 0), length - side)
    return slice(first, min(max(high, first), length - side) + 1)


def _window_means(values: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """The mean within each window that fits, at the window's first pixel."""
    means = ndimage.uniform_filter(values.astype(np.float64), size=sides)  # type: ignore[arg-type]
    fitting = zip(sides, values.shape, strict=True)  # the filter puts a window's mean at its middle
    return means[tuple(slice(side // 2, side // 2 + n - side + 1) for side, n in fitting)]


def draw_plane(axes: Axes, plane: np.ndarray, spacing_mm: tuple[float, float], **shown: object) -> AxesImage:
    """Draw a plane without ticks, one mm as long along both axes; pixels count from the upper left corner.

    Args:
        axes: to draw into.
        plane: (rows, columns).
        spacing_mm: of the rows and columns that are counted: the plane's own, unless an ``extent`` is given.
        shown: what ``imshow`` takes.
    """
    properties: dict = {"origin": "upper", **shown}
    image = axes.imshow(plane, aspect=spacing_mm[0] / spacing_mm[1], **properties)
    axes.set(xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set_visible(False)
    return image


def draw_region(axes: Axes, region: Region, colour: str) -> None:
    """The outline of a region of the plane that the axes show."""
    corner = (region.left - 0.5, region.top - 0.5)
    axes.add_patch(Rectangle(corner, region.width, region.height, fill=False, edgecolor=colour, linewidth=0.8))


def draw_sides(axes: Axes, orientation: str) -> None:
    """The letters of the anatomical sides at the left and upper edges of a plane, as orientation (Z, rows, columns)."""
    words: dict = {"color": "white", "size": SMALL_POINTS, "transform": axes.transAxes}
    axes.text(0.02, 0.5, _OPPOSITE[orientation[2]], ha="left", va="center", **words)
    axes.text(0.5, 0.985, _OPPOSITE[orientation[1]], ha="center", va="top", **words)
