"""``udeansr_benchmark``: HR scans to a table of methods."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import DeviceOption, PlanningMemoryOption, PrecisionOption, worker_processes
from udeansr.errors import UdeansrError

if TYPE_CHECKING:
    from udeansr.benchmark.bench import Benchmark
    from udeansr.benchmark.folder import BenchmarkFolder
    from udeansr.benchmark.scenario import Scenario
    from udeansr.training.settings import RunSettings

PLANNED = "[default: the plan's]"


HrOption = Annotated[Path, typer.Option("-i", "--input", help="Folder of HR scans, or a raw dataset as it is.")]
OutputOption = Annotated[Path, typer.Option("-o", "--output", help="Folder for all that is made, the tables among it.")]
ScalesOption = Annotated[
    str, typer.Option(help="In-plane x in-plane x through-plane: x2x2x2, x2x2x1; several comma-separated.")
]
PairingsOption = Annotated[
    str | None,
    typer.Option(help="unpaired, misaligned (of the same subjects, who moved), comma-separated. Default: unpaired."),
]
SourceOption = Annotated[
    int | None,
    typer.Option(help="Subjects whose HR is learnt from. Default: 40 % of all; misaligned: those of the target."),
]
TargetOption = Annotated[int | None, typer.Option(help="Subjects whose LR is learnt from. Default: 40 %.")]
ValidationOption = Annotated[int | None, typer.Option(help="Subjects to choose settings by. Default: 10 %.")]
TestOption = Annotated[int | None, typer.Option(help="Subjects to be looked at once. Default: 10 %.")]
DegradationsOption = Annotated[
    str | None, typer.Option(help="Of the target: truncation, shifted, comma-separated. Default: both.")
]
RowsOption = Annotated[
    str,
    typer.Option(
        help="Rows or groups of rows (default, table1, table2, paper_ablation, recipe, adversaries), comma-separated."
    ),
]
RowOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A row of your own, NAME=METHOD[@DEGRADATION][:SETTING=VALUE,...]: "
        "gentle=udean@measured:beta=0.001,run.learning_rate=1e-3. DEGRADATION makes LR of the source HR: measured, "
        "truncation, true. Again for more."
    ),
]
SplitOption = Annotated[str, typer.Option(help="Who is scored: test or validation.")]
SeedsOption = Annotated[
    str, typer.Option(help="Of simulation (who is in which group, noise) and training, comma-separated.")
]
EpochsOption = Annotated[int | None, typer.Option(help=f"Epochs of each training. {PLANNED}")]
IterationsPerEpochOption = Annotated[int | None, typer.Option(help=f"Iterations in an epoch. {PLANNED}")]
BudgetSecondsOption = Annotated[
    float | None,
    typer.Option(help="Seconds of each training, validation left out, instead of its iterations."),
]
WorkersOption = Annotated[int, typer.Option(help="Processes that prepare batches.")]
CompileOption = Annotated[bool, typer.Option("--compile", help="torch.compile, on CUDA.")]
ProcessesOption = Annotated[
    int | None, typer.Option(min=1, help="Processes of all other work. Default: one a core, up to 8.")
]
NumPartsOption = Annotated[int, typer.Option(help="Parts to deal the rows of all scenarios into, one a machine.")]
PartIdOption = Annotated[int, typer.Option(help="Which part this is, from 0.")]
MergeOption = Annotated[
    list[Path] | None,
    typer.Option(help="Take over the rows of this folder, made by the same command; runs nothing. Again for more."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Begin the rows again, whatever there is of them.")]
ReportOption = Annotated[bool, typer.Option("--report", help="End with a page of tables and figures: benchmark.html.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Tell what is left to do, and do nothing.")]


def benchmark(
    hr: HrOption,
    output: OutputOption,
    scales: ScalesOption,
    pairings: PairingsOption = None,
    source: SourceOption = None,
    target: TargetOption = None,
    validation: ValidationOption = None,
    test: TestOption = None,
    degradations: DegradationsOption = None,
    rows: RowsOption = "default",
    row: RowOption = None,
    split: SplitOption = "test",
    seeds: SeedsOption = "1",
    epochs: EpochsOption = None,
    iterations_per_epoch: IterationsPerEpochOption = None,
    budget_seconds: BudgetSecondsOption = None,
    memory_gb: PlanningMemoryOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    workers: WorkersOption = 0,
    compile_: CompileOption = False,
    processes: ProcessesOption = None,
    num_parts: NumPartsOption = 1,
    part_id: PartIdOption = 0,
    merge: MergeOption = None,
    overwrite: OverwriteOption = False,
    dry_run: DryRunOption = False,
    report: ReportOption = False,
) -> None:
    """Compare methods on subjects never seen: simulate, plan, train, predict, score, and make a table.

    What is done is not done again: the same command goes on, adds rows, or shares the work with one that runs beside
    it.
    """
    from udeansr.benchmark.bench import Benchmark, scan_names
    from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
    from udeansr.benchmark.rows import choose_rows
    from udeansr.cli.plan_and_preprocess import planning_memory
    from udeansr.parallel import Part

    counts, length = (source, target, validation, test), (epochs, iterations_per_epoch)
    where = {"workers": workers, "device": device, "precision": precision, "compile": compile_}
    benchmark = Benchmark(
        hr=hr,
        folder=BenchmarkFolder(output),
        settings=BenchmarkSettings(scan_names(hr), *counts, memory_gb, *length, budget_seconds),
        scenarios=_scenarios(hr, scales, pairings, degradations, seeds),
        rows=choose_rows(rows, row or []),
        split=split,
        options=_run_settings(epochs=epochs, iterations_per_epoch=iterations_per_epoch, **where),
        memory_gb=planning_memory(memory_gb)[0],
        processes=worker_processes(processes),
        part=Part(num_parts, part_id),
        overwrite=overwrite,
    )
    if dry_run:
        return _print_what_is_left(benchmark)
    _merge(benchmark, merge) if merge else _run(benchmark)
    _write_page(benchmark.folder) if report else None


def _run_settings(**options: Any) -> RunSettings:
    """How all rows are trained."""
    from udeansr.strict_json import from_json
    from udeansr.training.settings import RunSettings

    return from_json(RunSettings, options, "the options")


def _scenarios(
    hr: Path, scales: str, pairings: str | None, degradations: str | None, seeds: str
) -> tuple[Scenario, ...]:
    """The scenarios of the options; a dataset is taken as it is."""
    from udeansr.benchmark.dataset import given_scenario, is_dataset
    from udeansr.benchmark.scenario import scenarios

    if is_dataset(hr):
        for option, text in (("--pairings", pairings), ("--degradations", degradations)):
            if text is not None:
                raise UdeansrError(f"{option} {text}: {hr} is a dataset and is taken as it is; leave it out")
        return (given_scenario(hr, scales, seeds),)
    options = (scales, pairings or "unpaired", degradations or "truncation,shifted", seeds)
    return scenarios(*map(_words, options))


def _print_what_is_left(benchmark: Benchmark) -> None:
    """Print what is left to do."""
    from udeansr.benchmark.dry_run import remaining_rows

    for line in remaining_rows(benchmark):
        print(line)


def _merge(benchmark: Benchmark, others: list[Path]) -> None:
    """Take over the rows of other folders; tables and figures anew."""
    from udeansr.benchmark.merging import merge_folders

    for line in merge_folders(benchmark.folder, benchmark.settings, others):
        print(line)
    _show_tables(benchmark.folder)
    _draw_figures(benchmark.folder, benchmark.split)


def _run(benchmark: Benchmark) -> None:
    """Do what is left to do, and report."""
    from udeansr.benchmark.bench import run
    from udeansr.training.interruption import StoppedError

    try:
        outcome = run(benchmark)
    except StoppedError as stop:
        print("udeansr_benchmark: stopped; the same command goes on", file=sys.stderr)
        raise typer.Exit(stop.exit_status) from None
    _show_tables(benchmark.folder)
    print(f"{len(outcome.done)} rows done, {len(outcome.there)} were there already")
    if outcome.elsewhere:
        print(f"left to another process: {', '.join(outcome.elsewhere)}")
    from udeansr.figures.all_figures import are_drawn

    if outcome.done or not are_drawn(benchmark.folder, benchmark.split):  # the call before may have been killed there
        _draw_figures(benchmark.folder, benchmark.split)
    if outcome.failed:
        raise UdeansrError(f"not done, for the reasons above: {', '.join(outcome.failed)}")


def _show_tables(folder: BenchmarkFolder) -> None:
    """Write the tables, print the whole one and where all of them lie."""
    from udeansr.benchmark.tables import table_files, write_tables

    print(f"\n{write_tables(folder)}")
    print(f"tables: {', '.join(str(path) for path in table_files(folder))}")


def _draw_figures(folder: BenchmarkFolder, split: str) -> None:
    """Draw the figures and say where they lie."""
    from udeansr.figures.all_figures import write_figures

    figures = write_figures(folder, split)
    folders = sorted({str(path.parent) for path in figures})
    print(f"figures: {len(figures)} in {', '.join(folders) or 'no folder'}")


def _write_page(folder: BenchmarkFolder) -> None:
    """Write the page, and say where it lies."""
    from udeansr.report.benchmark_page import write_benchmark_page

    print(f"page: {write_benchmark_page(folder)}")


def _words(text: str) -> list[str]:
    """The words of an option that takes several."""
    return [word.strip() for word in text.split(",") if word.strip()]


def main() -> None:
    """Run ``udeansr_benchmark``."""
    command_line(benchmark, "udeansr_benchmark")
