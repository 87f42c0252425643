"""``udeansr_demo``: the main job on the example, by commands that a user would type."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from udeansr.cli.command import command_line
from udeansr.errors import UdeansrError
from udeansr.paths import dataset_number

EXAMPLE = Path("udeansr_raw_example") / "Dataset001_BrainT1w"


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for all that is made.")] = Path("udeansr_demo"),
    example: Annotated[Path, typer.Option("-i", "--input", help="The example's dataset.")] = EXAMPLE,
    minutes: Annotated[float, typer.Option(min=0.1, help="Of training.")] = 4.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo.")] = False,
) -> None:
    """Run the whole job on real brain MRI: plan, preprocess, train for minutes, predict, compare with interpolation."""
    from udeansr.cli.evaluate import evaluate
    from udeansr.cli.plan_and_preprocess import plan_and_preprocess
    from udeansr.cli.predict import predict
    from udeansr.cli.train import train

    if not example.is_dir():
        raise UdeansrError(f"{example}: the example is not there; run in a clone of the project, or give -i FOLDER")
    if output.exists() and not overwrite:
        raise UdeansrError(f"{output}: there is a demo already; give --overwrite to replace it, or -o another folder")
    number, lr, hr = f"{dataset_number(example.name):03d}", example / "testLR", example / "testHR"
    raw, preprocessed, results = example.parent, output / "udeansr_preprocessed", output / "udeansr_results"
    sr, scores = output / "sr", output / "scores"
    began = time.monotonic()
    _step(plan_and_preprocess, dataset=[number], memory_gb=0.0, raw=raw, preprocessed=preprocessed)
    _step(
        train,
        dataset=number,
        configuration="x2x2x2",
        max_minutes=minutes,
        device=device,
        overwrite=overwrite,
        preprocessed=preprocessed,
        results=results,
    )
    _step(predict, lr=lr, sr=sr / "supervised", dataset=number, results=results, device=device, overwrite=overwrite)
    for method in ("tricubic", "sinc"):
        _step(predict, lr=lr, sr=sr / method, method=method, scale="x2x2x2", overwrite=overwrite)
    _step(evaluate, sr=[sr / "supervised", sr / "tricubic", sr / "sinc"], hr=hr, output=scores)
    print(f"\nDone in {(time.monotonic() - began) / 60:.1f} minutes.")
    for title, folder in (("SR scans", sr), ("scores", scores), ("model and log", results), ("plan", preprocessed)):
        print(f"  {title + ':':15}{folder}")


FLAGS = {"dataset": "-d", "lr": "-i", "sr": "-o", "hr": "-r", "output": "-o"}
"""Options whose flag is not their own name."""


def _step(command: Callable[..., Any], **options: Any) -> None:
    """Show the command line that a user would type, then do what it does."""
    words: list[str] = []
    for name, value in options.items():
        if value is False or value is None:
            continue
        if command.__name__ == "train" and name in ("dataset", "configuration"):
            words.append(str(value))
            continue
        flag = (
            "-i" if (command.__name__, name) == ("evaluate", "sr") else FLAGS.get(name, f"--{name.replace('_', '-')}")
        )
        for one in value if isinstance(value, list) else [value]:
            words += [flag] if one is True else [flag, str(one)]
    print(f"\n$ udeansr_{command.__name__} {shlex.join(words)}", flush=True)
    command(**options)


def main() -> None:
    """Run ``udeansr_demo``."""
    command_line(demo, "udeansr_demo")
