"""``udeansr_evaluate``: folders of SR images against their HR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import ProcessesOption, worker_processes
from udeansr.errors import UdeansrError


def evaluate(
    sr: Annotated[
        list[Path], typer.Option("-i", "--input", help="Images to score; give it again to compare several folders.")
    ],
    hr: Annotated[Path | None, typer.Option("-r", "--reference", help="The truth, under the same names.")] = None,
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
    in_plane: Annotated[
        bool,
        typer.Option(
            "--in-plane",
            help="No truth needed: the scans of thick slices in -i are thickened along an axis of their plane, "
            "restored by --method self and by cubic interpolation, and held against themselves.",
        ),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="With --in-plane: self.iterations=1000 and the like; may be repeated."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="With --in-plane: auto, cpu, cuda, cuda:1, mps. [default: auto]")
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Write a page to judge by: report.html in -o, a folder below it for each -i."),
    ] = False,
    processes: ProcessesOption = None,
) -> None:
    """Score SR images by their HR: udeansr_evaluate -i sr/ -r hr/."""
    from udeansr.evaluation.evaluate import evaluate as evaluate_folders
    from udeansr.files import check_writable

    if report and output is None:
        raise UdeansrError("--report needs -o: the folder for the page")
    if in_plane:
        sr, hr, output = _in_plane(sr, hr, output, set_ or [], device or "auto")
    elif hr is None:
        raise UdeansrError("-r is missing: the HR to score by; without any, --in-plane scores thick slices")
    elif set_ or device:
        raise UdeansrError("--set and --device are of --in-plane, which is not given; leave them out, or give it")
    if output is not None:
        check_writable(output)  # before the work
    scores = evaluate_folders(sr, hr, slice_axis, worker_processes(processes))
    print(scores.table())
    if output is not None:
        scores.save(output)
        print(f"scores of each image: {output}")
    if report and output is not None:
        from udeansr.report.run_report import write_evaluation_reports

        for page in write_evaluation_reports(sr, hr, scores, output, worker_processes(processes)):
            print(page)


def _in_plane(
    scans: list[Path], hr: Path | None, output: Path | None, settings: list[str], device: str
) -> tuple[list[Path], Path, Path]:
    """Make thick scans of thick scans and their SR; the folders of SR, the folder of truth, where scores go."""
    from udeansr.benchmark import in_plane

    if len(scans) > 1 or hr is not None or output is None:
        raise UdeansrError("--in-plane takes one -i, the scans, and -o, the folder for all that is made; no -r")
    in_plane.restore_in_plane(scans[0], output, tuple(settings), device)
    return [output / in_plane.OWN, output / in_plane.CUBIC], output / in_plane.HR, output


def main() -> None:
    """Run the command."""
    command_line(evaluate, "udeansr_evaluate")
