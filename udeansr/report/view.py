"""The viewer alone, on any two or three volumes."""

from __future__ import annotations

from pathlib import Path

from udeansr.image.files import read_volume
from udeansr.image.names import case_name
from udeansr.report.page import write_page
from udeansr.report.scene import CaseImages, make_scene

MOST_BYTES = 24e6
"""Of the volumes within the page of one case."""


def write_view(lr: Path, sr: Path, hr: Path | None, path: Path) -> Path:
    """Write a page that shows LR, SR and, where it is given, HR with one crosshair.

    Args:
        lr: an image.
        sr: another of the same person in the same place.
        hr: the truth, or None.
        path: of the page.
    Returns: the path.
    Raises:
        UdeansrError: if an image cannot be read, they do not overlap, or the page cannot be written.
    """
    images = CaseImages(case_name(sr), read_volume(sr), read_volume(lr), None if hr is None else read_volume(hr))
    scene = make_scene(images, "v", MOST_BYTES)
    return write_page(path, "view.html.j2", images.name, [scene], notes=scene.notes)
