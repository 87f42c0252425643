"""The command udeansr_predict. Knows options and what to print; the work is in udeansr/prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line


def predict(
    lr: Annotated[Path, typer.Option("-i", "--input", help="LR: an image, a DICOM folder, or a folder of images.")],
    sr: Annotated[Path, typer.Option("-o", "--output", help="Folder for the SR images; names are kept.")],
    model: Annotated[
        Path | None, typer.Option("-m", "--model", help="Checkpoint (.pt) or the folder of a training.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("-d", "--dataset", help="Dataset of the model: 1, 001 or Dataset001_Name.")
    ] = None,
    configuration: Annotated[
        str | None, typer.Option("-c", "--configuration", help="Configuration of the model, such as x2x2x2.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Method of the model; tricubic and sinc need none, only --scale.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="For tricubic and sinc: in-plane x in-plane x through-plane, such as x2x2x2.")
    ] = None,
    checkpoint: Annotated[str, typer.Option(help="best, final or latest.")] = "best",
    quality: Annotated[str, typer.Option(help="fast, balanced (twice the time) or best (8 to 16 times).")] = "fast",
    stride: Annotated[
        int | None, typer.Option(help="Slices from one slab to the next, instead of the quality's own.")
    ] = None,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write NAME_uncertainty too; with --quality balanced or best.")
    ] = False,
    as_float: Annotated[bool, typer.Option("--float", help="Write float32 even if the LR is of integers.")] = False,
    continue_: Annotated[
        bool, typer.Option("--continue", help="Keep SR files that are there, make the others.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace SR files that are there.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32.")] = "auto",
    memory_gb: Annotated[
        float | None, typer.Option(help="For a volume that is made; a larger one lies in a file meanwhile.")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Folder of trained models.")] = None,
) -> None:
    """Super-resolve LR images: udeansr_predict -i lr/ -o sr/.

    Without -m, -d, -c and --method, the one trained model that fits the images' spacing is taken.
    """
    from udeansr.errors import UdeansrError
    from udeansr.image.grid import Scale
    from udeansr.paths import results_root
    from udeansr.prediction.choice import CHECKPOINTS, Wish
    from udeansr.prediction.predict import predict as predict_folder

    if continue_ and overwrite:
        raise UdeansrError("--continue keeps SR files, --overwrite replaces them; give one of the two")
    if checkpoint not in CHECKPOINTS:
        raise UdeansrError(f"--checkpoint {checkpoint} is none; expected {', '.join(CHECKPOINTS)}")
    wish = Wish(
        results=results_root(results),
        path=model,
        dataset=dataset,
        configuration=configuration,
        method=method,
        scale=Scale.parse(scale) if scale is not None else None,
        checkpoint=checkpoint,
    )
    outcome = predict_folder(
        lr,
        sr,
        wish,
        device=device,
        precision=precision,
        quality=quality,
        stride=stride,
        as_float=as_float,
        uncertainty=uncertainty,
        memory_gb=memory_gb,
        mode="continue" if continue_ else "overwrite" if overwrite else "new",
    )
    if outcome.failed:
        raise UdeansrError(str(outcome))
    print(f"{outcome}: {sr}")


def main() -> None:
    """Run the command."""
    command_line(predict, "udeansr_predict")
