"""Simulate a raw dataset from a folder of HR scans: LR of some subjects by a known degradation, HR of others."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from udeansr import __version__
from udeansr.degradation.simulated_scan import Recipe, simulate_scan
from udeansr.degradation.subjects import TARGET, Counts, draw_groups, subject_of
from udeansr.errors import UdeansrError
from udeansr.files import remove_partials, whole_folder
from udeansr.image.files import list_images, read_geometry
from udeansr.image.grid import Scale, format_spacing, reorient_geometry, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.volume import Geometry
from udeansr.parallel import parallel_map
from udeansr.paths import dataset_number
from udeansr.strict_json import write_json

SIMULATION_FILE = "simulation.json"

_logger = logging.getLogger(__name__)


def simulate(
    hr_folder: Path,
    dataset_folder: Path,
    recipe: Recipe,
    counts: Counts | None = None,
    about: dict[str, str] | None = None,
    processes: int = 1,
    overwrite: bool = False,
) -> dict[str, tuple[str, ...]]:
    """Make a raw dataset by the paper's protocol; its folder is written whole or not at all.

    The result depends on the scans, the recipe and the counts alone, whatever ``processes`` is.

    Args:
        hr_folder: HR scans, any format we read; scans whose names begin with the same ``sub-...`` are of one subject.
        dataset_folder: ``.../Dataset001_Name``.
        recipe: how LR and HR are made.
        counts: how many subjects each group takes.
        about: what goes into ``dataset.json``.
        processes: worker processes.
        overwrite: whether an earlier simulation may be replaced. Anything else never is.
    Returns: the subjects of each group: source, target, validation, test.
    Raises:
        UdeansrError: if the name is no dataset's, something is there already, subjects are too few, or a scan cannot
            be read or cropped.
    """
    dataset_folder = Path(dataset_folder)
    dataset_number(dataset_folder.name)
    _check_free(dataset_folder, hr_folder, overwrite)
    scans = _scans_by_subject(hr_folder)
    groups = draw_groups(list(scans), counts or Counts(), recipe.pairing, recipe.seed)
    _warn_of_slab_axis(read_geometry(scans[groups[TARGET][0]][0]), recipe.scale)
    remove_partials(dataset_folder)
    tasks = [(group, scan) for group, subjects in groups.items() for subject in subjects for scan in scans[subject]]
    with whole_folder(dataset_folder) as building:
        made = parallel_map(partial(simulate_scan, recipe=recipe, folder=building), tasks, processes, "simulating")
        write_json({"name": dataset_folder.name.split("_", 1)[1], **(about or {})}, building / "dataset.json")
        write_json(_record(recipe, groups, tasks, made), building / SIMULATION_FILE)
    return groups


def _check_free(dataset_folder: Path, hr_folder: Path, overwrite: bool) -> None:
    """Refuse to replace what is not ours to replace."""
    if not dataset_folder.exists():
        return
    if not overwrite:
        raise UdeansrError(f"{dataset_folder}: is there already; choose another number or give --overwrite")
    if not (dataset_folder / SIMULATION_FILE).is_file():
        raise UdeansrError(
            f"{dataset_folder}: has no {SIMULATION_FILE}, so it was not made by udeansr_simulate and is not replaced; "
            "choose another number or remove it yourself"
        )
    if Path(hr_folder).resolve().is_relative_to(dataset_folder.resolve()):
        raise UdeansrError(
            f"{hr_folder}: lies in {dataset_folder}, which --overwrite would remove; copy the scans first"
        )


def _scans_by_subject(hr_folder: Path) -> dict[str, list[Path]]:
    """The scans of each subject."""
    scans: dict[str, list[Path]] = {}
    names: dict[str, Path] = {}
    for path in list_images(Path(hr_folder)):
        name = case_name(path)
        if name in names:
            raise UdeansrError(f"{path}: has the name of {names[name].name}; expected one scan of a name; rename one")
        names[name] = path
        scans.setdefault(subject_of(name), []).append(path)
    return scans


def _warn_of_slab_axis(hr: Geometry, scale: Scale) -> None:
    """Say so where the LR will be coarsest along another axis than the one that is through-plane here."""
    orientation = slab_orientation(hr)
    hr_mm = reorient_geometry(hr, orientation).spacing_mm
    spacing = [mm * factor for mm, factor in zip(hr_mm, scale.zyx, strict=True)]
    if spacing[0] < 0.999 * max(spacing):
        _logger.warning(
            "%s makes LR of %s (Z, Y, X), coarsest along another axis than the through-plane one of the HR; "
            "planning will take that axis as through-plane and name the scale accordingly",
            scale,
            format_spacing(spacing),
        )


def _record(
    recipe: Recipe, groups: dict[str, tuple[str, ...]], tasks: list[tuple[str, Path]], made: list[dict[str, Any]]
) -> dict[str, Any]:
    """What ``simulation.json`` holds: all that is needed to compare a measured degradation with the true one."""
    return {
        "udeansr": __version__,
        "scale": str(recipe.scale),
        "degradation": asdict(recipe.degradation),
        "pairing": recipe.pairing,
        "seed": recipe.seed,
        "crop": asdict(recipe.crop) if recipe.crop else None,
        "subjects": {group: list(names) for group, names in groups.items()},
        "scans": {
            group: {case_name(path): done for (own, path), done in zip(tasks, made, strict=True) if own == group}
            for group in groups
        },
    }
