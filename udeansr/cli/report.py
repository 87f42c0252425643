"""``udeansr_report``: one page for a run. Parses and reports; the work lies in udeansr.report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import PreprocessedOption, ProcessesOption, RawOption, worker_processes
from udeansr.errors import UdeansrError


def report(
    sr: Annotated[Path | None, typer.Argument(help="Folder of SR images, or one.")] = None,
    lr: Annotated[Path | None, typer.Option("-i", "--input", help="The LR they were made of, by name.")] = None,
    hr: Annotated[Path | None, typer.Option("-r", "--hr", help="The truth, by name, where there is one.")] = None,
    lesions: Annotated[Path | None, typer.Option(help="Masks of lesions, by name: their contrast and volume.")] = None,
    other: Annotated[
        Path | None, typer.Option(help="SR of the same LR by another run, by name: up to where the two agree.")
    ] = None,
    training: Annotated[
        Path | None, typer.Option(help="Instead of SR: the folder of a training; its losses, scores, plan.")
    ] = None,
    cohorts: Annotated[
        str | None, typer.Option(help="Instead of SR: a dataset that was planned, 001; its scans, outliers marked.")
    ] = None,
    benchmark: Annotated[
        Path | None, typer.Option(help="Instead of SR: the folder of a benchmark; its tables, figures, spread.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page. [default: report.html beside the SR]")
    ] = None,
    title: Annotated[str, typer.Option(help="Of the page of SR.")] = "Super-resolution",
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    processes: ProcessesOption = None,
    raw: RawOption = None,
    preprocessed: PreprocessedOption = None,
) -> None:
    """Make a page to judge SR by: udeansr_report sr/ -i lr/."""
    if sum(one is not None for one in (sr, training, cohorts, benchmark)) != 1:
        raise UdeansrError(
            "expected one of a folder of SR, --training FOLDER, --cohorts DATASET and --benchmark FOLDER; give one"
        )
    if training is not None:
        from udeansr.report.training_page import write_training_page

        path = write_training_page(training, output)
    elif benchmark is not None:
        from udeansr.benchmark.folder import BenchmarkFolder
        from udeansr.report.benchmark_page import write_benchmark_page

        path = write_benchmark_page(BenchmarkFolder(benchmark), output)
    elif cohorts is not None:
        path = _cohorts(cohorts, output, raw, preprocessed)
    else:
        from udeansr.report.run_report import PAGE, find_cases, write_report

        assert sr is not None
        cases = find_cases(sr, lr, hr, lesions, other)
        path = output or (sr if sr.is_dir() else sr.parent) / PAGE
        write_report(cases, path, title, processes=worker_processes(processes))
    print(path)
    if open_:
        typer.launch(str(path))


def _cohorts(dataset: str, output: Path | None, raw: Path | None, preprocessed: Path | None) -> Path:
    """The page of a dataset that was planned."""
    from udeansr.paths import find_dataset, preprocessed_root, raw_root
    from udeansr.planning.raw_dataset import load_raw_dataset
    from udeansr.report.cohort_page import write_cohort_page

    scans = load_raw_dataset(find_dataset(raw_root(raw), dataset))
    return write_cohort_page(scans, preprocessed_root(preprocessed).folder / scans.name, output)


def main() -> None:
    """Run ``udeansr_report``."""
    command_line(report, "udeansr_report")
