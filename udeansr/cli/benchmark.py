"""``udeansr_benchmark``: HR scans to a table of methods. Parses and reports; the work lies in udeansr.benchmark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from udeansr.cli.command import command_line
from udeansr.errors import UdeansrError

if TYPE_CHECKING:
    from udeansr.benchmark.folder import BenchmarkFolder

PLANNED = "[default: the plan's]"


def benchmark(
    hr: Annotated[Path, typer.Option("-i", "--input", help="Folder of HR scans, or a raw dataset as it is.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for all that is made, the tables among it.")],
    scales: Annotated[
        str, typer.Option(help="In-plane x in-plane x through-plane: x2x2x2, x2x2x1; several comma-separated.")
    ],
    pairings: Annotated[
        str | None,
        typer.Option(help="unpaired, misaligned (of the same people, who moved), comma-separated. Default: unpaired."),
    ] = None,
    source: Annotated[
        int | None,
        typer.Option(help="People whose HR is learnt from. Default: 40 % of all; misaligned: those of the target."),
    ] = None,
    target: Annotated[int | None, typer.Option(help="People whose LR is learnt from. Default: 40 %.")] = None,
    validation: Annotated[int | None, typer.Option(help="People to choose settings by. Default: 10 %.")] = None,
    test: Annotated[int | None, typer.Option(help="People to be looked at once. Default: 10 %.")] = None,
    degradations: Annotated[
        str | None, typer.Option(help="Of the target: truncation, shifted, comma-separated. Default: both.")
    ] = None,
    rows: Annotated[
        str,
        typer.Option(
            help="Rows or groups of rows (default, table1, table2, paper_ablation, recipe, adversaries), "
            "comma-separated."
        ),
    ] = "default",
    row: Annotated[
        list[str] | None,
        typer.Option(
            help="A row of your own, NAME=METHOD[@DEGRADATION][:SETTING=VALUE,...]: "
            "gentle=udean@measured:beta=0.001,run.learning_rate=1e-3. DEGRADATION makes LR of the source HR: measured, "
            "truncation, true. Again for more."
        ),
    ] = None,
    people: Annotated[str, typer.Option(help="Who is scored: test or validation.")] = "test",
    seeds: Annotated[
        str, typer.Option(help="Of simulation (who is in which group, noise) and training, comma-separated.")
    ] = "1",
    epochs: Annotated[int | None, typer.Option(help=f"Epochs of each training. {PLANNED}")] = None,
    iterations_per_epoch: Annotated[int | None, typer.Option(help=f"Iterations in an epoch. {PLANNED}")] = None,
    budget_seconds: Annotated[
        float | None,
        typer.Option(help="Seconds of each training, validation left out, instead of its iterations."),
    ] = None,
    memory_gb: Annotated[
        float | None,
        typer.Option(min=0, help="GPU memory to plan for; 0: a CPU. Default: what CUDA reports, else a CPU."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare batches.")] = 0,
    compile_: Annotated[bool, typer.Option("--compile", help="torch.compile, on CUDA.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes of all other work. Default: one a core, up to 8.")
    ] = None,
    num_parts: Annotated[int, typer.Option(help="Parts to deal the rows of all scenarios into, one a machine.")] = 1,
    part_id: Annotated[int, typer.Option(help="Which part this is, from 0.")] = 0,
    merge: Annotated[
        list[Path] | None,
        typer.Option(help="Take over the rows of this folder, made by the same command; runs nothing. Again for more."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin the rows again, whatever there is of them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what is left to do, and do nothing.")] = False,
) -> None:
    """Compare methods on people never seen: simulate, plan, train, predict, score, and make a table.

    What is done is not done again: the same command goes on where it was stopped, adds rows, or shares the work with
    one that runs beside it.
    """
    import os

    from udeansr.benchmark.bench import Benchmark, run, scan_names
    from udeansr.benchmark.dataset import given_scenario, is_dataset
    from udeansr.benchmark.dry_run import work_left
    from udeansr.benchmark.folder import BenchmarkFolder, BenchmarkSettings
    from udeansr.benchmark.merging import merge_folders
    from udeansr.benchmark.rows import choose_rows
    from udeansr.benchmark.scenario import scenarios
    from udeansr.cli.plan_and_preprocess import planning_memory
    from udeansr.parallel import Part
    from udeansr.strict_json import from_json
    from udeansr.training.interruption import StoppedError
    from udeansr.training.settings import RunSettings

    counts = {"source": source, "target": target, "validation": validation, "test": test}
    if is_dataset(hr):
        for option, text in (("--pairings", pairings), ("--degradations", degradations)):
            if text is not None:
                raise UdeansrError(f"{option} {text}: {hr} is a dataset and is taken as it is; leave it out")
        made = (given_scenario(hr, scales, seeds),)
    else:
        words = (scales, pairings or "unpaired", degradations or "truncation,shifted", seeds)
        made = scenarios(*map(_words, words))
    options = {
        "epochs": epochs,
        "iterations_per_epoch": iterations_per_epoch,
        "device": device,
        "precision": precision,
        "workers": workers,
        "compile": compile_,
    }
    wanted = Benchmark(
        hr=hr,
        folder=BenchmarkFolder(output),
        settings=BenchmarkSettings(
            scans=scan_names(hr),
            memory_gb=memory_gb,
            epochs=epochs,
            iterations_per_epoch=iterations_per_epoch,
            budget_seconds=budget_seconds,
            **counts,
        ),
        scenarios=made,
        rows=choose_rows(rows, row or []),
        people=people,
        options=from_json(RunSettings, options, "the options"),
        memory_gb=planning_memory(memory_gb)[0],
        processes=processes or min(8, os.cpu_count() or 1),
        part=Part(num_parts, part_id),
        overwrite=overwrite,
    )
    if dry_run:
        for line in work_left(wanted):
            print(line)
        return
    if merge:
        for line in merge_folders(wanted.folder, wanted.settings, merge):
            print(line)
        _show_tables(wanted.folder)
        _draw_figures(wanted.folder, people)
        return
    try:
        outcome = run(wanted)
    except StoppedError as stop:
        print("udeansr_benchmark: stopped; the same command goes on", file=sys.stderr)
        raise typer.Exit(stop.exit_status) from None
    _show_tables(wanted.folder)
    print(f"{len(outcome.done)} rows done, {len(outcome.there)} were there already")
    if outcome.elsewhere:
        print(f"left to another process: {', '.join(outcome.elsewhere)}")
    if outcome.done:
        _draw_figures(wanted.folder, people)
    if outcome.failed:
        raise UdeansrError(f"not done, for the reasons above: {', '.join(outcome.failed)}")


def _show_tables(folder: BenchmarkFolder) -> None:
    """Write the tables, print the whole one and where all of them lie."""
    from udeansr.benchmark.tables import table_files, write_tables

    print(f"\n{write_tables(folder)}")
    print(f"tables: {', '.join(str(path) for path in table_files(folder))}")


def _draw_figures(folder: BenchmarkFolder, people: str) -> None:
    """Draw the figures and say where they lie."""
    from udeansr.figures.all_figures import write_figures

    figures = write_figures(folder, people)
    folders = sorted({str(path.parent) for path in figures})
    print(f"figures: {len(figures)} in {', '.join(folders) or 'no folder'}")


def _words(text: str) -> list[str]:
    """The words of an option that takes several."""
    return [word.strip() for word in text.split(",") if word.strip()]


def main() -> None:
    """Run ``udeansr_benchmark``."""
    command_line(benchmark, "udeansr_benchmark")
