"""``udeansr_evaluate``: folders of SR images against their HR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import ProcessesOption, worker_processes


def evaluate(
    sr: Annotated[
        list[Path], typer.Option("-i", "--input", help="Images to score; give it again to compare several folders.")
    ],
    hr: Annotated[Path, typer.Option("-r", "--reference", help="The truth, under the same names.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for summary.json and scores.csv; old ones are replaced."),
    ] = None,
    slice_axis: Annotated[
        str | None,
        typer.Option(
            help="Slices of 2-D SSIM: sagittal, coronal or axial. Default: across the reference's coarsest axis."
        ),
    ] = None,
    processes: ProcessesOption = None,
) -> None:
    """Score SR images by their HR: udeansr_evaluate -i sr/ -r hr/."""
    from udeansr.evaluation.evaluate import evaluate as evaluate_folders

    scores = evaluate_folders(sr, hr, slice_axis, worker_processes(processes))
    print(scores.table())
    if output is not None:
        scores.save(output)
        print(f"scores of each image: {output}")


def main() -> None:
    """Run the command."""
    command_line(evaluate, "udeansr_evaluate")
