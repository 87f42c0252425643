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
        Path | None, typer.Option("-m", "--model", help="Name of a model, or a .zip, .pt or folder of a training.")
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
    quality: Annotated[
        str | None, typer.Option(help="fast (default), balanced (twice the time) or best (8 to 16 times).")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(help="Slices from one slab to the next, instead of the quality's own.")
    ] = None,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write the error to expect too; quality is best unless you say else.")
    ] = False,
    labels: Annotated[Path | None, typer.Option(help="Folder of label maps, to bring to the grid of SR.")] = None,
    dicom: Annotated[bool, typer.Option("--dicom", help="Write derived DICOM series; LR has to be DICOM.")] = False,
    bids: Annotated[bool, typer.Option("--bids", help="Input is a BIDS dataset, output a derivative one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write beside each SR how it was made.")] = False,
    as_float: Annotated[bool, typer.Option("--float", help="Write float32 even if the LR is of integers.")] = False,
    continue_: Annotated[
        bool, typer.Option("--continue", help="Keep SR files that are there, make the others.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace SR files that are there.")] = False,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, mps; cuda:0,cuda:1 or all share the images out.")
    ] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32.")] = "auto",
    memory_gb: Annotated[
        float | None, typer.Option(help="For a volume that is made; a larger one lies in a file meanwhile.")
    ] = None,
    num_parts: Annotated[int, typer.Option(help="Share the images among so many runs of this command.")] = 1,
    part_id: Annotated[int, typer.Option(help="Which part this run does, from 0.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Folder of trained models.")] = None,
) -> None:
    """Super-resolve LR images: udeansr_predict -i lr/ -o sr/.

    Without -m, -d, -c and --method, the one trained model that fits the images' spacing is taken, or one that came with
    udeansr.
    """
    from udeansr.errors import UdeansrError
    from udeansr.image.grid import Scale
    from udeansr.models.choice import CHECKPOINTS, ModelQuery
    from udeansr.parallel import Part
    from udeansr.paths import results_root
    from udeansr.prediction.options import Options
    from udeansr.prediction.predict import predict as predict_folder

    if continue_ and overwrite:
        raise UdeansrError("--continue keeps SR files, --overwrite replaces them; give one of the two")
    if checkpoint not in CHECKPOINTS:
        raise UdeansrError(f"--checkpoint {checkpoint} is none; expected {', '.join(CHECKPOINTS)}")
    query = ModelQuery(
        results=results_root(results),
        path=model,
        dataset=dataset,
        configuration=configuration,
        method=method,
        scale=Scale.parse(scale) if scale is not None else None,
        checkpoint=checkpoint,
    )
    options = Options(
        device=device,
        precision=precision,
        quality=quality,
        stride=stride,
        as_float=as_float,
        uncertainty=uncertainty,
        labels=labels,
        dicom=dicom,
        bids=bids,
        json=json,
        memory_gb=memory_gb,
        mode="continue" if continue_ else "overwrite" if overwrite else "new",
        part=Part(num_parts, part_id),
    )
    outcome = predict_folder(lr, sr, query, options)
    if outcome.failed:
        raise UdeansrError(str(outcome))
    print(f"{outcome}: {sr}")


def main() -> None:
    """Run the command."""
    command_line(predict, "udeansr_predict")
