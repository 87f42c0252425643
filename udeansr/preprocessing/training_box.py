"""In which box of its volume a case is trained on. Knows whole numbers; touches no voxel."""

from __future__ import annotations

from udeansr.image.cropping import Box
from udeansr.image.volume import triple


def training_box(box: Box, shape: tuple[int, ...], minimum: tuple[int, ...], multiple: tuple[int, ...]) -> Box:
    """Grow a box until each side holds ``minimum`` and divides by ``multiple``, shrink it where the volume ends.

    Args:
        box: inside the volume.
        shape: of the volume, (Z, Y, X).
        minimum: smallest sides, each a multiple of ``multiple``.
        multiple: what the sides divide by.
    Returns: a box that leaves the volume only where the volume is smaller than ``minimum``.
    """
    starts, sides = [], []
    for start, extent, length, least, step in zip(*box, shape, minimum, multiple, strict=True):
        side = max(least, -(-extent // step) * step)
        if side > length:
            side = max(least, length // step * step)
        centred = start + (extent - side) // 2
        starts.append(min(max(centred, 0), length - side) if side <= length else (length - side) // 2)
        sides.append(side)
    return triple(starts), triple(sides)
