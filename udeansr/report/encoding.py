"""Volumes as text within a page: windowed to whole levels, differences of neighbours, gzip, base64; and back."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

import numpy as np

MOST_LEVELS = 255
"""A voxel is one byte."""


@dataclass(frozen=True)
class Encoded:
    """A volume as a page carries it.

    Attributes:
        shape: (Z, Y, X).
        low: the value of level 0, in the unit of the image.
        step: from one level to the next; a voxel within the window is known to half of it.
        levels: the highest level; what lies beyond the window is shown at its border.
        clipped: part of the voxels beyond the window.
        text: base64 of gzip of the levels, X fastest, as differences along X and then along Y, modulo 256.
    """

    shape: tuple[int, int, int]
    low: float
    step: float
    levels: int
    clipped: float
    text: str


def encode(voxels: np.ndarray, low: float, high: float, levels: int = MOST_LEVELS) -> Encoded:
    """Make text of a volume; what is not finite counts as ``low``.

    Args:
        voxels: (Z, Y, X), any unit.
        low: the value that becomes level 0.
        high: the value that becomes the highest level.
        levels: that level, at most 255.
    """
    step = (high - low) / levels if high > low else 1.0
    values = np.nan_to_num(voxels.astype(np.float32), nan=low, posinf=high, neginf=low)
    clipped = float(np.mean((values < low - step / 2) | (values > low + step * (levels + 0.5))))
    level = np.clip(np.rint((values - low) / step), 0, levels).astype(np.uint8)
    for axis in (2, 1):  # modulo 256; what is smooth becomes small, which packs better
        level = np.diff(level, axis=axis, prepend=np.uint8(0))
    z, y, x = voxels.shape
    text = base64.b64encode(gzip.compress(level.tobytes(), 6, mtime=0)).decode()
    return Encoded((z, y, x), float(low), float(step), levels, clipped, text)


def decode(encoded: Encoded) -> np.ndarray:
    """The volume (Z, Y, X) float32, to half a step; as the page's own script does it."""
    level = np.frombuffer(gzip.decompress(base64.b64decode(encoded.text)), np.uint8).reshape(encoded.shape)
    for axis in (1, 2):
        level = np.cumsum(level, axis=axis, dtype=np.uint8)
    return (encoded.low + encoded.step * level).astype(np.float32)
