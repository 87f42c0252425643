"""``udeansr_view``: the viewer on any two or three volumes. Parses and reports; the work lies in udeansr.report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line


def view(
    lr: Annotated[Path, typer.Argument(help="LR: an image.")],
    sr: Annotated[Path, typer.Argument(help="SR: another of the same person.")],
    hr: Annotated[Path | None, typer.Argument(help="HR, where there is one.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page. [default: the name of SR in this folder, .html]")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Look at volumes in three planes with one crosshair: udeansr_view lr.nii.gz sr.nii.gz."""
    from udeansr.image.names import case_name
    from udeansr.report.view import write_view

    path = write_view(lr, sr, hr, output or Path(f"{case_name(sr)}.html"))
    print(path)
    if open_:
        typer.launch(str(path))


def main() -> None:
    """Run ``udeansr_view``."""
    command_line(view, "udeansr_view")
