"""The command udeansr_models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import ending_well, typer_app
from udeansr.errors import UdeansrError

Named = Annotated[str, typer.Argument(metavar="NAME", help="Of a bundled or imported model.")]


def list_models() -> None:
    """Show the models that have a name here."""
    from udeansr.image.grid import format_spacing
    from udeansr.models.registry import named_models
    from udeansr.paths import models_root

    rows = [("name", "contrast", "scale", "LR spacing", "axes", "where", "MB")]
    for model in named_models():
        told, configuration = model.description, model.description.configuration
        size = f"{model.path.stat().st_size / 1e6:.1f}"
        spacing = format_spacing(configuration.task.lr_spacing_mm)
        rows.append(
            (told.name, told.contrast, configuration.task.scale, spacing, told.plan.orientation, model.where, size)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if len(rows) > 1 else []:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"{len(rows) - 1} model{'' if len(rows) == 2 else 's'}; imported ones lie in {models_root()}")


def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name, or a model file.")],
) -> None:
    """Print a model's card, and where it lies."""
    from udeansr.models.model_file import read_card, read_description
    from udeansr.models.registry import named_model
    from udeansr.prediction.output import checksum

    path = Path(model) if Path(model).is_file() else named_model(model).path
    description, card = read_description(path), read_card(path)
    print(card)
    print(f"file:        {path}, {path.stat().st_size / 1e6:.1f} MB")
    print(f"sha256:      {checksum(path)}")
    print(f"domain:      {'not measured' if description.domain is None else f'{description.domain.subjects} subjects'}")
    print(f"uncertainty: {'not calibrated' if description.calibration is None else 'calibrated'}")
    print(f"next:        udeansr_predict -i lr/ -o sr/ -m {model}")


def export(
    training: Annotated[Path, typer.Option("-m", "--model", help="Checkpoint (.pt) or the folder of a training.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file to write, a .zip.")],
    name: Annotated[str | None, typer.Option(help="How it is called. Default: of dataset, contrast, scale.")] = None,
    contrast: Annotated[str | None, typer.Option(help="T1w, T2w, FLAIR, ... Default: the dataset's.")] = None,
    card: Annotated[Path | None, typer.Option(help="Markdown for people. Default: what the training says.")] = None,
    calibration: Annotated[Path | None, typer.Option(help="JSON of the uncertainty's calibration.")] = None,
    float32: Annotated[bool, typer.Option("--float32", help="Whole weights, not float16: twice the size.")] = False,
) -> None:
    """Write a training to one file that others can import."""
    from udeansr.models.calibration import Calibration
    from udeansr.models.export import ExportSettings, export_model
    from udeansr.strict_json import read_json_as

    settings = ExportSettings(
        name=name,
        contrast=contrast,
        card=card and _text(card),
        calibration=calibration and read_json_as(Calibration, calibration, "calibration", "leave --calibration out"),
        half=not float32,
    )
    description = export_model(training, output, settings)
    print(f"{description.name}: {output}, {output.stat().st_size / 1e6:.1f} MB")
    print(f"next: udeansr_models import {output}")


def import_file(
    file: Annotated[Path, typer.Argument(help="A model file that udeansr_models export wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an imported model of this name.")] = False,
) -> None:
    """Take a model file into your own models."""
    from udeansr.models.registry import import_model

    model = import_model(file, replace=force)
    print(f"{model.name}: {model.path}")
    print(f"next: udeansr_predict -i lr/ -o sr/ -m {model.name}")


def remove(name: Named) -> None:
    """Remove an imported model."""
    from udeansr.models.registry import remove_model

    print(f"removed {remove_model(name)}")


def onnx(
    model: Annotated[str, typer.Option("-m", "--model", help="Checkpoint, folder of a training, model file, name.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .onnx file to write.")],
) -> None:
    """Write the network of a model as ONNX."""
    from udeansr.models.model import load_model
    from udeansr.models.onnx import export_onnx
    from udeansr.models.registry import model_path

    metadata = export_onnx(load_model(model_path(model)), output)
    for key, value in metadata.items():
        print(f"{key}: {value}")
    print(f"network: {output}, {output.stat().st_size / 1e6:.1f} MB")


SUBCOMMANDS = {
    "list": list_models,
    "info": info,
    "export": export,
    "import": import_file,
    "remove": remove,
    "onnx": onnx,
}
"""What follows ``udeansr_models``, or ``udeansr models``."""


def models_app(program: str) -> typer.Typer:
    """The subcommands as a typer application, each telling of mistakes under its whole name."""
    app = typer_app(no_args_is_help=True, help="Models that can be called by name: show, export, import, remove.")
    for name, command in SUBCOMMANDS.items():
        app.command(name)(ending_well(command, f"{program} {name}"))
    return app


def _text(path: Path) -> str:
    """What a text file holds."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UdeansrError(f"{path}: cannot be read as text; give a Markdown file with --card") from error


def main() -> None:
    """Run the command."""
    models_app("udeansr_models")(prog_name="udeansr_models")
