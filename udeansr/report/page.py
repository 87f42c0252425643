"""A page from its template: one file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import udeansr
from udeansr.files import write_whole
from udeansr.report.scene import Scene


def write_page(path: Path, template: str, title: str, scenes: Sequence[Scene] = (), **values: Any) -> Path:
    """Write a page, whole or not at all; the folder is made.

    Args:
        path: of the HTML.
        template: a file of ``assets``.
        title: of the page.
        scenes: that the viewer shows; without any, the page has none.
        values: for the template.
    Returns: the path.
    Raises:
        UdeansrError: if it cannot be written.
    """
    payloads = {name: text for scene in scenes for name, text in scene.payloads.items()}
    text = (
        _environment()
        .get_template(template)
        .render(
            title=title,
            version=udeansr.__version__,
            css=_asset("page.css"),
            script=_asset("viewer.js"),
            scenes=[scene.values for scene in scenes],
            payloads=payloads,
            **values,
        )
    )
    write_whole(path, text)
    return path


def picture(png: bytes) -> str:
    """A PNG as a data URI, as it lies in a page."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _asset(name: str) -> str:
    return (files("udeansr.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("udeansr.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
