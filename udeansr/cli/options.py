"""Options that several commands share, each with one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.errors import UdeansrError

DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
PrecisionOption = Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32.")]
PlanningMemoryOption = Annotated[
    float | None,
    typer.Option(min=0, help="GPU memory to plan for; 0: a CPU. Default: what CUDA reports, else a CPU."),
]
ProcessesOption = Annotated[int | None, typer.Option(min=1, help="Worker processes. Default: one a core, up to 8.")]
RawOption = Annotated[Path | None, typer.Option(help="Root of raw datasets. [default: $udeansr_raw, ./udeansr_raw]")]
PreprocessedOption = Annotated[
    Path | None,
    typer.Option(help="Root of plans and arrays. [default: $udeansr_preprocessed, ./udeansr_preprocessed]"),
]
ResultsOption = Annotated[
    Path | None, typer.Option(help="Root of trained models. [default: $udeansr_results, ./udeansr_results]")
]


def worker_processes(asked: int | None) -> int:
    """How many worker processes: as asked, else one a core, up to 8."""
    import os

    return asked or min(8, os.cpu_count() or 1)


def writing_mode(continue_: bool, overwrite: bool) -> str:
    """What to do with what is there already: "new" (refuse), "continue" or "overwrite".

    Raises:
        UdeansrError: if both were asked for.
    """
    if continue_ and overwrite:
        raise UdeansrError("--continue keeps what is there, --overwrite replaces it; give one of the two")
    return "continue" if continue_ else "overwrite" if overwrite else "new"
