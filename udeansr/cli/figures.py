"""``udeansr_figures``: the figures of a benchmark. Parses and reports; the work lies in udeansr.benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line


def figures(
    folder: Annotated[Path, typer.Option("-i", "--input", help="Folder that udeansr_benchmark made.")],
    split: Annotated[str, typer.Option(help="Whose rows: test or validation.")] = "test",
    case: Annotated[
        str | None,
        typer.Option(help="A scan by name. Default: the one whose PSNR by udean is the median."),
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Rows or groups of rows, comma-separated. Default: all that are finished.")
    ] = None,
) -> None:
    """Draw SR and its errors beside each other, degradation and features: udeansr_figures -i out/."""
    from udeansr.benchmark.folder import BenchmarkFolder
    from udeansr.figures.all_figures import CAPTIONS_FILE, FIGURES_FOLDER, write_figures

    written = write_figures(BenchmarkFolder(folder), split, case, rows)
    for path in written:
        print(path)
    print(f"{len(written)} drawn; what they show: {folder / FIGURES_FOLDER / CAPTIONS_FILE}")


def main() -> None:
    """Run ``udeansr_figures``."""
    command_line(figures, "udeansr_figures")
