"""What the viewer shows of one case: its layers on grids of one frame, cropped, windowed and made small enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.cropping import crop, foreground_box, foreground_mask
from udeansr.image.grid import reorient
from udeansr.image.resampling import resample_onto
from udeansr.image.volume import Geometry, Volume, triple
from udeansr.report.encoding import Encoded, encode

FRAME = "IPL"
"""Orientation (Z, Y, X) of all layers: rows run down and columns to the right in each plane, without a flip."""

MARGIN_MM = 6.0
"""Around the foreground that is kept."""

BRIGHTEST = 99.95
"""Percentile of the foreground of each image; the largest is the upper end of the levels."""

WHITE = 99.7
"""Percentile of the foreground of SR that is white at first."""

DIFFERENCE_PART = 0.25
"""Of the window: at this difference the colours end."""

ATTEMPTS = ((255, 1), (191, 1), (127, 1), (95, 1), (63, 1), (63, 2), (63, 3), (63, 4), (63, 6), (63, 8))
"""Levels, and voxels merged along each axis, until a case is within its limit."""

MAP_LEVELS = 31
"""Of maps: they are read by colour."""

_PARALLEL = 1e-3


@dataclass(frozen=True)
class Maps:
    """A map that is shown in colours.

    Attributes:
        volume: on any grid of the frame.
        label: in the viewer.
        unit: of its values; "" where it is that of the image.
        colours: "heat" from 0 up, "signed" around 0.
        most: where the colours end.
    """

    volume: Volume
    label: str
    unit: str
    colours: str
    most: float


@dataclass(frozen=True)
class CaseImages:
    """The volumes of one case, as they are stored.

    Attributes:
        name: of the case.
        sr: the one that is looked at.
        lr, hr: None where there is none.
        maps: by id: uncertainty and the like.
    """

    name: str
    sr: Volume
    lr: Volume | None = None
    hr: Volume | None = None
    maps: Mapping[str, Maps] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """A case as the page takes it.

    Attributes:
        values: JSON for the viewer.
        payloads: text of each volume by its id.
        notes: what was done to make it fit, in words.
    """

    values: dict[str, Any]
    payloads: dict[str, str]
    notes: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the volumes within the page."""
        return sum(map(len, self.payloads.values()))


def make_scene(images: CaseImages, key: str, most_bytes: float) -> Scene:
    """Make a case ready for the viewer: the finest quantisation and grid that stay within a limit.

    Args:
        images: of the case.
        key: distinguishes its payloads from those of other cases.
        most_bytes: that its volumes may take in the page; the last attempt is taken whatever it needs.
    Raises:
        UdeansrError: if LR, SR and HR do not overlap or are empty.
    """
    volumes, notes = _in_frame(images)
    ends = _ends(volumes)
    for levels, merged in ATTEMPTS:
        layers = {name: _merged(volume, merged) for name, volume in volumes.items()}
        encoded = {
            name: encode(layer.voxels, *_limits(name, images, ends), MAP_LEVELS if name in images.maps else levels)
            for name, layer in layers.items()
        }
        if sum(len(one.text) for one in encoded.values()) > most_bytes and (levels, merged) != ATTEMPTS[-1]:
            continue
        if merged > 1:
            notes.append(f"shown with {merged} x {merged} x {merged} voxels merged, to keep the page small")
        notes.append(_truth(encoded["sr"], ends))
        payloads = {f"{key}-{name}": one.text for name, one in encoded.items()}
        return Scene(_values(images, layers, encoded, key), payloads, tuple(notes))
    raise AssertionError("the last attempt is taken")


def _truth(sr: Encoded, ends: tuple[float, float]) -> str:
    """How far what is shown is true."""
    return (
        f"intensities are stored in {sr.levels + 1} levels of {sr.step:.3g}: values are true to {sr.step / 2:.2g}; "
        f"{100 * sr.clipped:.2f} % of the voxels of SR lie outside {ends[0]:.4g} to {ends[1]:.4g} and are shown as that"
    )


def _in_frame(images: CaseImages) -> tuple[dict[str, Volume], list[str]]:
    """All volumes in one orientation along the axes of SR, cropped to the foreground of the images."""
    named = {"lr": images.lr, "sr": images.sr, "hr": images.hr}
    volumes = {name: reorient(volume, FRAME) for name, volume in named.items() if volume is not None}
    volumes |= {name: reorient(one.volume, FRAME) for name, one in images.maps.items()}
    sr, notes = volumes["sr"].geometry, []
    for name, volume in volumes.items():
        if np.abs(np.asarray(volume.geometry.axes) - np.asarray(sr.axes)).max() > _PARALLEL:
            volumes[name] = resample_onto(volume, sr)
            notes.append(f"{name.upper()} lies along other axes than SR and was resampled onto its grid")
    lows, highs = zip(
        *(_foreground_mm(volumes[name], sr, name) for name in ("lr", "sr") if name in volumes), strict=True
    )
    low, high = np.min(lows, axis=0) - MARGIN_MM, np.max(highs, axis=0) + MARGIN_MM
    return {name: _cropped(volume, sr, low, high, name) for name, volume in volumes.items()}, notes


def offset_mm(geometry: Geometry, frame: Geometry) -> np.ndarray:
    """(3,): the way along the axes of a frame from its first voxel to the first of a grid, mm."""
    return np.asarray(frame.axes) @ (np.asarray(geometry.origin_mm) - np.asarray(frame.origin_mm))


def _foreground_mm(volume: Volume, frame: Geometry, name: str) -> tuple[np.ndarray, np.ndarray]:
    if not foreground_mask(volume.voxels).any():
        raise UdeansrError(f"{name.upper()} has no voxel above 0; expected an image of magnitudes")
    start, shape = (np.asarray(part) for part in foreground_box(volume.voxels))
    first = offset_mm(volume.geometry, frame) + (start - 0.5) * volume.geometry.spacing_mm
    return first, first + shape * np.asarray(volume.geometry.spacing_mm)


def _cropped(volume: Volume, frame: Geometry, low: np.ndarray, high: np.ndarray, name: str) -> Volume:
    spacing, first = np.asarray(volume.geometry.spacing_mm), offset_mm(volume.geometry, frame)
    start = np.maximum(np.floor((low - first) / spacing + 0.5), 0).astype(int)
    stop = np.minimum(np.ceil((high - first) / spacing + 0.5), volume.geometry.shape).astype(int)
    if (stop <= start).any():
        raise UdeansrError(f"{name.upper()} does not overlap with SR; expected images of one person in one place")
    return crop(volume, (triple(map(int, start)), triple(map(int, stop - start))))


def _merged(volume: Volume, factor: int) -> Volume:
    """The mean of so many voxels along each axis; what is left over at the end is cut off."""
    if factor == 1:
        return volume
    sides = [min(factor, n) for n in volume.voxels.shape]
    counts = [n // side for n, side in zip(volume.voxels.shape, sides, strict=True)]
    kept = volume.voxels[tuple(slice(0, n * side) for n, side in zip(counts, sides, strict=True))].astype(np.float32)
    blocks = kept.reshape([part for pair in zip(counts, sides, strict=True) for part in pair]).mean((1, 3, 5))
    start = triple((side - 1) / 2 for side in sides)
    origin = triple(float(mm) for mm in volume.geometry.world_mm(start))
    spacing = triple(mm * side for mm, side in zip(volume.geometry.spacing_mm, sides, strict=True))
    return Volume(blocks, Geometry(triple(counts), spacing, origin, volume.geometry.axes))


def _ends(volumes: dict[str, Volume]) -> tuple[float, float]:
    """The intensities that the levels reach from and to: alike for LR, SR and HR."""
    own = [volumes[name].voxels for name in ("lr", "sr", "hr") if name in volumes]
    low = min(0.0, *(float(np.percentile(voxels, 0.05)) for voxels in own))
    high = max(float(np.percentile(voxels[foreground_mask(voxels)], BRIGHTEST)) for voxels in own)
    return low, high


def _limits(name: str, images: CaseImages, ends: tuple[float, float]) -> tuple[float, float]:
    if name not in images.maps:
        return ends
    most = images.maps[name].most
    return (-most if images.maps[name].colours == "signed" else 0.0), most


def _values(images: CaseImages, layers: dict[str, Volume], encoded: dict[str, Encoded], key: str) -> dict[str, Any]:
    """The JSON of the viewer."""
    sr = layers["sr"]
    grid = sr.geometry
    lps_to_ras = np.array([-1.0, -1.0, 1.0])
    white = float(np.percentile(sr.voxels[foreground_mask(sr.voxels)], WHITE))
    window = [min(0.0, encoded["sr"].low), white]
    found = [_stored(name, layer, encoded[name], grid, key, images) for name, layer in layers.items()]
    by_id = {layer["id"]: layer for layer in found}
    order = [by_id.pop("lr")] if "lr" in by_id else []
    if order:
        order.append(
            {**order[0], "id": "tricubic", "label": "LR, tricubic", "of": "lr", "cubic": True, "voxels": False}
        )
        order[-1].pop("data")
    order += [by_id.pop(name) for name in ("sr", "hr") if name in by_id]
    most = DIFFERENCE_PART * (window[1] - window[0])
    others = [layer["id"] for layer in order if layer["id"] in ("tricubic", "hr")]
    for other in others:
        label = "SR less tricubic" if other == "tricubic" else "SR less HR"
        order.append(
            {"id": f"sr-{other}", "label": label, "map": "signed", "range": [-most, most], "difference": ["sr", other]}
        )
    order += by_id.values()
    middle = np.argwhere(foreground_mask(sr.voxels)).mean(0)
    return {
        "name": images.name,
        "grid": {"shape": list(grid.shape), "spacing": list(grid.spacing_mm)},
        "world": {
            "origin": (np.asarray(grid.origin_mm) * lps_to_ras).tolist(),
            "steps": (grid.steps_mm * lps_to_ras).tolist(),
        },
        "start": [round(float(place)) for place in middle],
        "low_letters": ["LRPASI"["RLAPIS".index(letter)] for letter in FRAME],
        "high_letters": list(FRAME),
        "window": window,
        "show": ["tricubic", "sr"] if "lr" in layers else ["hr" if "hr" in layers else "sr", "sr"],
        "layers": order,
    }


def _stored(name: str, layer: Volume, encoded: Encoded, grid: Geometry, key: str, images: CaseImages) -> dict[str, Any]:
    """A layer whose volume lies in the page."""
    values = {
        "id": name,
        "label": {"lr": "LR, voxels", "sr": "SR", "hr": "HR"}.get(name, ""),
        "shape": list(layer.geometry.shape),
        "spacing": list(layer.geometry.spacing_mm),
        "offset": offset_mm(layer.geometry, grid).tolist(),
        "low": encoded.low,
        "step": encoded.step,
        "data": f"{key}-{name}",
        "map": "grey",
        "voxels": name == "lr",
    }
    if name in images.maps:
        shown = images.maps[name]
        ends = [-shown.most if shown.colours == "signed" else 0.0, shown.most]
        values |= {"label": shown.label, "unit": shown.unit, "map": shown.colours, "range": ends}
    return values
