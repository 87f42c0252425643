"""What becomes of lesions: contrast and volume of each in LR, SR and HR, by a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SHELL_MM = (2.0, 5.0)
"""The surroundings of a lesion: so far outside of its mask."""

MOST = 12
"""Lesions that are told one by one: the largest."""

LEAST_VOXELS = 8


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Attributes:
        mask_mm3: volume of its mask.
        at: the voxel of the grid in its middle, (Z, Y, X).
        contrast: by image: mean inside the mask less mean of the surroundings, over the latter.
        volume_mm3: by image: voxels of the mask and up to 2 mm outside that are nearer to the lesion's own level
            (median of the mask) than to that of the surroundings.
    """

    mask_mm3: float
    at: tuple[int, int, int]
    contrast: dict[str, float]
    volume_mm3: dict[str, float]


def measure_lesions(
    mask: np.ndarray, images: Mapping[str, np.ndarray], spacing_mm: tuple[float, float, float]
) -> list[Lesion]:
    """Measure the lesions of a mask, the largest first.

    Args:
        mask: bool (Z, Y, X); voxels that touch are one lesion. Those of fewer than 8 voxels are left out.
        images: of its grid, by name.
        spacing_mm: of the grid.
    """
    labels = np.empty(mask.shape, np.int32)
    count = int(ndimage.label(mask, np.ones((3, 3, 3)), output=labels))  # type: ignore[arg-type]
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = [int(number) for number in np.argsort(-sizes, kind="stable") if sizes[number] >= LEAST_VOXELS][:MOST]
    boxes = ndimage.find_objects(labels)
    found = []
    for number in order:
        margin = [int(np.ceil(SHELL_MM[1] / mm)) + 1 for mm in spacing_mm]
        box = tuple(
            slice(max(part.start - more, 0), part.stop + more) for part, more in zip(boxes[number], margin, strict=True)
        )
        found.append(
            _measured(labels[box] == number + 1, mask[box], {k: v[box] for k, v in images.items()}, spacing_mm)
        )
        first = [part.start for part in box]
        z, y, x = (int(a + b) for a, b in zip(first, found[-1].at, strict=True))
        found[-1] = Lesion(found[-1].mask_mm3, (z, y, x), found[-1].contrast, found[-1].volume_mm3)
    return found


def _measured(
    own: np.ndarray, mask: np.ndarray, images: Mapping[str, np.ndarray], spacing_mm: tuple[float, float, float]
) -> Lesion:
    """One lesion within its box."""
    away = np.asarray(ndimage.distance_transform_edt(~own, sampling=spacing_mm))
    shell = (away > SHELL_MM[0]) & (away <= SHELL_MM[1]) & ~mask
    near = away <= SHELL_MM[0]
    voxel_mm3 = float(np.prod(spacing_mm))
    contrast, volume = {}, {}
    for name, voxels in images.items():
        around = float(np.median(voxels[shell])) if shell.any() else float("nan")
        inside = float(np.median(voxels[own]))
        contrast[name] = (
            float(voxels[own].mean() - voxels[shell].mean()) / around if shell.any() and around else float("nan")
        )
        half = (inside + around) / 2
        belongs = voxels > half if inside > around else voxels < half
        volume[name] = float(np.count_nonzero(belongs & near)) * voxel_mm3
    z, y, x = (round(float(place)) for place in np.argwhere(own).mean(0))
    return Lesion(float(np.count_nonzero(own)) * voxel_mm3, (z, y, x), contrast, volume)
