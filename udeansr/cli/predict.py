"""``udeansr_predict``: a folder of LR images to a folder of SR images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import PrecisionOption, ResultsOption, writing_mode
from udeansr.errors import UdeansrError

if TYPE_CHECKING:
    from udeansr.models.choice import ModelQuery


LrOption = Annotated[Path, typer.Option("-i", "--input", help="LR: an image, a DICOM folder, or a folder of images.")]
SrOption = Annotated[Path, typer.Option("-o", "--output", help="Folder for the SR images; names are kept.")]
ModelOption = Annotated[
    list[Path] | None,
    typer.Option("-m", "--model", help="Name of a model, or a .zip, .pt or folder of a training. Again: an ensemble."),
]
DatasetOption = Annotated[
    str | None, typer.Option("-d", "--dataset", help="Dataset of the model: 1, 001 or Dataset001_Name.")
]
ConfigurationOption = Annotated[
    str | None, typer.Option("-c", "--configuration", help="Configuration of the model, such as x2x2x2.")
]
MethodOption = Annotated[
    str | None,
    typer.Option(help="Of the model; self learns from thick slices themselves; tricubic and sinc need --scale."),
]
NameOption = Annotated[str | None, typer.Option(help="Of the run that the model is of.")]
ScaleOption = Annotated[
    str | None, typer.Option(help="For tricubic and sinc: in-plane x in-plane x through-plane, such as x2x2x2.")
]
CheckpointOption = Annotated[str, typer.Option(help="best, final or latest.")]
QualityOption = Annotated[
    str | None, typer.Option(help="fast (default), balanced (twice the time) or best (8 to 16 times).")
]
StrideOption = Annotated[
    int | None, typer.Option(help="Slices from one slab to the next, instead of the quality's own.")
]
UncertaintyOption = Annotated[
    bool, typer.Option("--uncertainty", help="Write the error to expect too; quality is best unless you say else.")
]
LabelsOption = Annotated[Path | None, typer.Option(help="Folder of label maps, to bring to the grid of SR.")]
DicomOption = Annotated[bool, typer.Option("--dicom", help="Write derived DICOM series; LR has to be DICOM.")]
BidsOption = Annotated[bool, typer.Option("--bids", help="Input is a BIDS dataset, output a derivative one.")]
ReportOption = Annotated[bool, typer.Option("--report", help="Write a page to judge the SR by: report.html.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write beside each SR how it was made.")]
AsFloatOption = Annotated[bool, typer.Option("--float", help="Write float32 even if the LR is of integers.")]
SpacingOption = Annotated[
    str | None, typer.Option(help="Of SR, mm: isotropic, 0.7, or 0.7x0.7x1, slices last. [default: the model's]")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of --method self: self.iterations=3000; may be repeated.")
]
SaveModelOption = Annotated[Path | None, typer.Option(help="Keep what --method self learned: a .zip, for -m.")]
ContinueOption = Annotated[bool, typer.Option("--continue", help="Keep SR files that are there, make the others.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace SR files that are there.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, mps; cuda:0,cuda:1 or all share the images out.")]
MemoryGbOption = Annotated[
    float | None, typer.Option(help="For a volume that is made; a larger one lies in a file meanwhile.")
]
NumPartsOption = Annotated[int, typer.Option(help="Share the images among so many runs of this command.")]
PartIdOption = Annotated[int, typer.Option(help="Which part this run does, from 0.")]


def predict(
    lr: LrOption,
    sr: SrOption,
    model: ModelOption = None,
    dataset: DatasetOption = None,
    configuration: ConfigurationOption = None,
    method: MethodOption = None,
    name: NameOption = None,
    scale: ScaleOption = None,
    checkpoint: CheckpointOption = "best",
    quality: QualityOption = None,
    stride: StrideOption = None,
    uncertainty: UncertaintyOption = False,
    labels: LabelsOption = None,
    dicom: DicomOption = False,
    bids: BidsOption = False,
    json: JsonOption = False,
    report: ReportOption = False,
    as_float: AsFloatOption = False,
    spacing: SpacingOption = None,
    set_: SetOption = None,
    save_model: SaveModelOption = None,
    continue_: ContinueOption = False,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    memory_gb: MemoryGbOption = None,
    num_parts: NumPartsOption = 1,
    part_id: PartIdOption = 0,
    results: ResultsOption = None,
) -> None:
    """Super-resolve LR images: udeansr_predict -i lr/ -o sr/.

    Without -m, -d, -c and --method, the one trained model that fits the images' spacing is taken, or one that came with
    udeansr; thick slices that none fits learn from their own planes.
    """
    from udeansr.image.grid import parse_spacing
    from udeansr.parallel import Part
    from udeansr.prediction.options import Options
    from udeansr.prediction.predict import predict as predict_folder

    if report and num_parts > 1:
        raise UdeansrError(f"--report is for all images at once; when all parts are done: udeansr_report {sr} -i {lr}")
    mode = writing_mode(continue_, overwrite)
    query = _query(results, model, dataset, configuration, method, name, scale, checkpoint)
    where: dict[str, Any] = {"device": device, "precision": precision, "memory_gb": memory_gb}
    how: dict[str, Any] = {"quality": quality, "stride": stride, "uncertainty": uncertainty, "as_float": as_float}
    outputs: dict[str, Any] = {"labels": labels, "dicom": dicom, "bids": bids, "json": json}
    how["spacing_mm"] = None if spacing is None else parse_spacing(spacing)
    learning: dict[str, Any] = {"settings": tuple(set_ or ()), "save_model": save_model}
    options = Options(**where, **how, **outputs, **learning, mode=mode, part=Part(num_parts, part_id))
    outcome = predict_folder(lr, sr, query, options)
    if outcome.failed:
        raise UdeansrError(str(outcome))
    print(f"{outcome}: {sr}")
    if report:
        from udeansr.report.run_report import write_prediction_report

        print(write_prediction_report(lr, sr, outcome, dicom=dicom, bids=bids))


def _query(
    results: Path | None,
    models: list[Path] | None,
    dataset: str | None,
    configuration: str | None,
    method: str | None,
    name: str | None,
    scale: str | None,
    checkpoint: str,
) -> ModelQuery:
    """Which model is meant."""
    from udeansr.image.grid import Scale
    from udeansr.models.choice import CHECKPOINTS, ModelQuery
    from udeansr.paths import results_root

    if checkpoint not in CHECKPOINTS:
        raise UdeansrError(f"--checkpoint {checkpoint} is none; expected {', '.join(CHECKPOINTS)}")
    factors = Scale.parse(scale) if scale is not None else None
    first, *others = models or [None]
    names = (dataset, configuration, method, factors, checkpoint, name)
    return ModelQuery(results_root(results), first, tuple(path for path in others if path), *names)


def main() -> None:
    """Run the command."""
    command_line(predict, "udeansr_predict")
