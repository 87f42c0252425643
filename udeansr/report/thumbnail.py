"""Small pictures of a case's middle slices, as they lie in a page."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from udeansr.image.cropping import foreground_box, foreground_mask
from udeansr.image.grid import reorient
from udeansr.image.volume import Volume
from udeansr.report.page import picture
from udeansr.report.scene import FRAME, WHITE, CaseImages

SIDE = 150
"""Pixels of the longer side."""


def thumbnails(images: CaseImages) -> tuple[tuple[str, str], ...]:
    """The axial slice through the middle of the foreground, of LR, SR and HR: label and data URI."""
    sr = reorient(images.sr, FRAME)
    white = float(np.percentile(sr.voxels[foreground_mask(sr.voxels)], WHITE))
    found = []
    for label, volume in (("LR", images.lr), ("SR", images.sr), ("HR", images.hr)):
        if volume is not None:
            found.append((f"{label}, axial", slice_picture(volume, white)))
    return tuple(found)


def slice_picture(volume: Volume, white: float | None = None) -> str:
    """The axial slice through the middle of the foreground as a data URI, voxels as they are.

    Args:
        volume: as it is stored.
        white: the value that is white; None: a percentile of its foreground.
    """
    turned = reorient(volume, FRAME)
    if white is None:
        inside = turned.voxels[foreground_mask(turned.voxels)]
        white = float(np.percentile(inside, WHITE)) if inside.size else 1.0
    start, shape = foreground_box(turned.voxels)
    rows, columns = (slice(max(a - 3, 0), a + n + 3) for a, n in zip(start[1:], shape[1:], strict=True))
    plane = turned.voxels[start[0] + shape[0] // 2, rows, columns].astype(np.float32)
    grey = np.clip(np.nan_to_num(plane) / max(white, 1e-12) * 255, 0, 255).astype(np.uint8)
    size_mm = np.array(plane.shape) * turned.geometry.spacing_mm[1:]
    height, width = np.maximum(np.rint(size_mm / size_mm.max() * SIDE), 1).astype(int)
    finer = plane.shape[0] > height
    shown = Image.fromarray(grey).resize(
        (int(width), int(height)), Image.Resampling.BOX if finer else Image.Resampling.NEAREST
    )
    file = io.BytesIO()
    shown.save(file, "PNG", optimize=True)
    return picture(file.getvalue())
