"""``udeansr_simulate``: a folder of HR scans to a raw dataset, for a trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import ProcessesOption, worker_processes

if TYPE_CHECKING:
    from udeansr.degradation.kspace import Degradation
    from udeansr.image.grid import Scale


HrOption = Annotated[Path, typer.Option("-i", "--input", help="Folder of HR scans; sub-01_... are one subject's.")]
DatasetOption = Annotated[
    Path, typer.Option("-o", "--output", help="The dataset to make: udeansr_raw/Dataset001_Name.")
]
ScaleOption = Annotated[str, typer.Option(help="In-plane x in-plane x through-plane: x2x2x2, x2x2x1.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the split, the noise and the motion.")]
PairingOption = Annotated[
    str, typer.Option(help="unpaired: other subjects. misaligned: the target subjects' HR, moved, is the source.")
]
DegradationOption = Annotated[
    str, typer.Option(help="truncation: of k-space, the paper's. shifted: blurred, 6/8 partial Fourier, 1 % noise.")
]
ApodizationOption = Annotated[float | None, typer.Option(help="Strength of the k-space window, 0 to 0.5.")]
PartialFourierOption = Annotated[float | None, typer.Option(help="Part of the lines measured, above 0.5 to 1.")]
PartialFourierAxisOption = Annotated[str | None, typer.Option(help="Z, Y or X, Z the slab axis.")]
EllipticalOption = Annotated[
    bool | None, typer.Option("--elliptical/--no-elliptical", help="Leave out the corners of k-space.")
]
SliceProfileOption = Annotated[
    str | None, typer.Option(help="gaussian or box: slices as 2-D scans excite them, not encoded.")
]
SliceThicknessOption = Annotated[
    float | None, typer.Option(help="FWHM of the slice profile, mm. [default: the distance of slices, less the gap]")
]
SliceGapOption = Annotated[float | None, typer.Option(help="Between slices, mm, instead of their thickness.")]
NoiseOption = Annotated[float | None, typer.Option(help="Rician noise, as a part of the foreground's mean.")]
SourceOption = Annotated[int | None, typer.Option(help="Subjects in sourceHR. Default: 40 % of all.")]
TargetOption = Annotated[int | None, typer.Option(help="Subjects in targetLR. Default: 40 %.")]
ValidationOption = Annotated[int | None, typer.Option(help="Subjects in the validation pairs. Default: 10 %.")]
TestOption = Annotated[int | None, typer.Option(help="Subjects in the test pairs. Default: 10 %.")]
CropOption = Annotated[
    str | None, typer.Option(help="HR voxels to keep, 96x96x64: in-plane x in-plane x through-plane.")
]
CropAtOption = Annotated[
    str, typer.Option(help="Where in the foreground's box the crop has its centre, same order, 0 to 1 each.")
]
DescriptionOption = Annotated[str | None, typer.Option(help="For dataset.json.")]
ContrastOption = Annotated[str | None, typer.Option(help="For dataset.json: T1w, T2w, ...")]
LicenceOption = Annotated[str | None, typer.Option(help="For dataset.json: the licence of the HR scans.")]
ReferenceOption = Annotated[str | None, typer.Option(help="For dataset.json: whose the HR scans are.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier simulation.")]


def simulate(
    hr: HrOption,
    dataset: DatasetOption,
    scale: ScaleOption,
    seed: SeedOption = 0,
    pairing: PairingOption = "unpaired",
    degradation: DegradationOption = "truncation",
    apodization: ApodizationOption = None,
    partial_fourier: PartialFourierOption = None,
    partial_fourier_axis: PartialFourierAxisOption = None,
    elliptical: EllipticalOption = None,
    noise: NoiseOption = None,
    slice_profile: SliceProfileOption = None,
    slice_thickness: SliceThicknessOption = None,
    slice_gap: SliceGapOption = None,
    source: SourceOption = None,
    target: TargetOption = None,
    validation: ValidationOption = None,
    test: TestOption = None,
    crop: CropOption = None,
    crop_at: CropAtOption = "0.5x0.5x0.5",
    description: DescriptionOption = None,
    contrast: ContrastOption = None,
    licence: LicenceOption = None,
    reference: ReferenceOption = None,
    processes: ProcessesOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Make a raw dataset from a folder of HR: LR of some subjects, HR of others, and pairs to test with."""
    from udeansr.degradation.simulated_scan import CropBox, Recipe
    from udeansr.degradation.simulation import simulate as run
    from udeansr.degradation.subjects import Counts
    from udeansr.image.grid import Scale

    kspace = {"apodization": apodization, "elliptical": elliptical, "noise": noise}
    fourier = {"partial_fourier": partial_fourier, "partial_fourier_axis": partial_fourier_axis}
    slices: dict[str, Any] = {"slice_profile": slice_profile}
    slices["slice_thickness"] = _thickness(hr, Scale.parse(scale), slice_profile, slice_thickness, slice_gap)
    about = {"description": description, "contrast": contrast, "licence": licence, "reference": reference}
    recipe = Recipe(
        scale=Scale.parse(scale),
        degradation=_degradation(degradation, {**kspace, **fourier, **slices}),
        pairing=pairing,
        seed=seed,
        crop=None if crop is None else CropBox.parse(crop, crop_at),
    )
    counts, workers = Counts(source, target, validation, test), worker_processes(processes)
    groups = run(hr, dataset, recipe, counts, about=_given(about), processes=workers, overwrite=overwrite)
    subjects = ", ".join(f"{len(names)} {group}" for group, names in groups.items())
    print(f"{dataset}: {recipe.scale}, {pairing}; subjects: {subjects}")
    elsewhere = "" if dataset.parent == Path("udeansr_raw") else f" --raw {dataset.parent}"
    print(f"next: udeansr_plan_and_preprocess -d {dataset.name[7:10]}{elsewhere}")


def _degradation(name: str, changes: dict[str, Any]) -> Degradation:
    """The degradation of a name, with the changes that were asked for."""
    from udeansr.degradation.kspace import named_degradation

    axis = changes["partial_fourier_axis"]
    return named_degradation(name, **_given({**changes, "partial_fourier_axis": axis and axis.upper()}))


def _thickness(
    hr: Path, scale: Scale, profile: str | None, thickness_mm: float | None, gap_mm: float | None
) -> float | None:
    """The slice thickness over the distance of slices, as the first HR scan has it; None where nobody said."""
    from udeansr.errors import UdeansrError
    from udeansr.image.files import list_images, read_geometry

    if thickness_mm is None and gap_mm is None:
        return None
    if profile is None or scale.z == 1:
        raise UdeansrError(
            "--slice-thickness and --slice-gap are of slices as 2-D scans excite them; expected --slice-profile "
            "gaussian or box beside them, and a --scale whose last factor is above 1"
        )
    if thickness_mm is not None and gap_mm is not None:
        raise UdeansrError("--slice-thickness and --slice-gap were both given; one follows from the other; give one")
    distance_mm = scale.z * max(read_geometry(list_images(hr)[0]).spacing_mm)
    return (thickness_mm if thickness_mm is not None else distance_mm - (gap_mm or 0)) / distance_mm


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def main() -> None:
    """Run the command."""
    command_line(simulate, "udeansr_simulate")
