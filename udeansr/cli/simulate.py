"""udeansr_simulate: parses, calls one function, reports. Knows flags; does no work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line


def simulate(
    hr: Annotated[Path, typer.Option("-i", "--input", help="Folder of HR scans; sub-01_... are one person's.")],
    dataset: Annotated[Path, typer.Option("-o", "--output", help="The dataset to make: udeansr_raw/Dataset001_Name.")],
    scale: Annotated[str, typer.Option(help="In-plane x in-plane x through-plane: x2x2x2, x2x2x1.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the split, the noise and the motion.")] = 0,
    pairing: Annotated[
        str, typer.Option(help="unpaired: other people. misaligned: the target people's HR, moved, is the source.")
    ] = "unpaired",
    degradation: Annotated[
        str, typer.Option(help="truncation: of k-space, the paper's. shifted: blurred, 6/8 partial Fourier, 1 % noise.")
    ] = "truncation",
    apodization: Annotated[float | None, typer.Option(help="Strength of the k-space window, 0 to 0.5.")] = None,
    partial_fourier: Annotated[float | None, typer.Option(help="Part of the lines measured, above 0.5 to 1.")] = None,
    partial_fourier_axis: Annotated[str | None, typer.Option(help="Z, Y or X, Z the slab axis.")] = None,
    elliptical: Annotated[
        bool | None, typer.Option("--elliptical/--no-elliptical", help="Leave out the corners of k-space.")
    ] = None,
    noise: Annotated[float | None, typer.Option(help="Rician noise, as a part of the foreground's mean.")] = None,
    source: Annotated[int | None, typer.Option(help="People in sourceHR. Default: 40 % of all.")] = None,
    target: Annotated[int | None, typer.Option(help="People in targetLR. Default: 40 %.")] = None,
    validation: Annotated[int | None, typer.Option(help="People in the validation pairs. Default: 10 %.")] = None,
    test: Annotated[int | None, typer.Option(help="People in the test pairs. Default: 10 %.")] = None,
    crop: Annotated[
        str | None, typer.Option(help="HR voxels to keep, 96x96x64: in-plane x in-plane x through-plane.")
    ] = None,
    crop_at: Annotated[
        str, typer.Option(help="Where in the foreground's box the crop has its centre, same order, 0 to 1 each.")
    ] = "0.5x0.5x0.5",
    description: Annotated[str | None, typer.Option(help="For dataset.json.")] = None,
    contrast: Annotated[str | None, typer.Option(help="For dataset.json: T1w, T2w, ...")] = None,
    licence: Annotated[str | None, typer.Option(help="For dataset.json: the licence of the HR scans.")] = None,
    reference: Annotated[str | None, typer.Option(help="For dataset.json: whose the HR scans are.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Worker processes. Default: one a core, up to 8.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier simulation.")] = False,
) -> None:
    """Make a raw dataset from a folder of HR: LR of some people, HR of others, and pairs to test with."""
    import os

    from udeansr.degradation.kspace import named_degradation
    from udeansr.degradation.simulated_scan import CropBox, Recipe
    from udeansr.degradation.simulation import simulate as run
    from udeansr.degradation.subjects import Counts
    from udeansr.image.grid import Scale

    changes = {
        "apodization": apodization,
        "partial_fourier": partial_fourier,
        "partial_fourier_axis": partial_fourier_axis and partial_fourier_axis.upper(),
        "elliptical": elliptical,
        "noise": noise,
    }
    about = {"description": description, "contrast": contrast, "licence": licence, "reference": reference}
    recipe = Recipe(
        scale=Scale.parse(scale),
        degradation=named_degradation(
            degradation, **{name: value for name, value in changes.items() if value is not None}
        ),
        pairing=pairing,
        seed=seed,
        crop=None if crop is None else CropBox.parse(crop, crop_at),
    )
    groups = run(
        hr,
        dataset,
        recipe,
        Counts(source, target, validation, test),
        about={name: text for name, text in about.items() if text is not None},
        processes=processes or min(8, os.cpu_count() or 1),
        overwrite=overwrite,
    )
    people = ", ".join(f"{len(names)} {group}" for group, names in groups.items())
    print(f"{dataset}: {recipe.scale}, {pairing}; people: {people}")
    elsewhere = "" if dataset.parent == Path("udeansr_raw") else f" --raw {dataset.parent}"
    print(f"next: udeansr_plan_and_preprocess -d {dataset.name[7:10]}{elsewhere}")


def main() -> None:
    """Run the command."""
    command_line(simulate, "udeansr_simulate")
