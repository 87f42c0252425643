"""``udeansr_report``: one page for a run. Parses and reports; the work lies in udeansr.report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import ProcessesOption, worker_processes


def report(
    sr: Annotated[Path, typer.Argument(help="Folder of SR images, or one.")],
    lr: Annotated[Path | None, typer.Option("-i", "--input", help="The LR they were made of, by name.")] = None,
    hr: Annotated[Path | None, typer.Option("-r", "--hr", help="The truth, by name, where there is one.")] = None,
    lesions: Annotated[Path | None, typer.Option(help="Masks of lesions, by name: their contrast and volume.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page. [default: report.html beside the SR]")
    ] = None,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Super-resolution",
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    processes: ProcessesOption = None,
) -> None:
    """Make a page to judge SR by: udeansr_report sr/ -i lr/."""
    from udeansr.report.run_report import PAGE, find_cases, write_report

    cases = find_cases(sr, lr, hr, lesions)
    path = output or (sr if sr.is_dir() else sr.parent) / PAGE
    write_report(cases, path, title, processes=worker_processes(processes))
    print(path)
    if open_:
        typer.launch(str(path))


def main() -> None:
    """Run ``udeansr_report``."""
    command_line(report, "udeansr_report")
