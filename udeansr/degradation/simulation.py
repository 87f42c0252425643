"""A dataset made from a folder of HR: who is in which group, and LR by a known degradation. Knows files; no network."""

from __future__ import annotations

import json
import logging
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from udeansr import __version__
from udeansr.degradation.kspace import TRUNCATION, Degradation, acquire, noise_sigma, truncate_kspace
from udeansr.degradation.misalignment import draw_misalignment, misalign
from udeansr.degradation.people import SOURCE, TARGET, TEST, VALIDATION, Counts, draw_groups, subject
from udeansr.errors import UdeansrError
from udeansr.image.cropping import Box, crop, foreground_box
from udeansr.image.files import case_name, image_suffix, list_images, read_volume, write_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, slab_orientation
from udeansr.image.normalization import denormalize
from udeansr.image.volume import Volume
from udeansr.parallel import parallel_map
from udeansr.paths import SOURCE_HR, TARGET_LR, TEST_HR, TEST_LR, VALIDATION_HR, VALIDATION_LR, dataset_number

SIMULATION_FILE = "simulation.json"

_logger = logging.getLogger(__name__)

_FOLDERS = {
    SOURCE: (SOURCE_HR,),
    TARGET: (TARGET_LR,),
    VALIDATION: (VALIDATION_LR, VALIDATION_HR),
    TEST: (TEST_LR, TEST_HR),
}


@dataclass(frozen=True)
class CropBox:
    """A box to cut each scan to.

    Attributes:
        shape: HR voxels along (Z, Y, X), slab axis first.
        at: where its centre lies in the box of the foreground, along (Z, Y, X), 0 to 1.
    """

    shape: tuple[int, int, int]
    at: tuple[float, float, float] = (0.5, 0.5, 0.5)

    @classmethod
    def parse(cls, shape: str, at: str = "0.5x0.5x0.5") -> CropBox:
        """Read ``96x96x64`` and ``0.5x0.5x0.7``, both in-plane x in-plane x through-plane.

        Raises:
            UdeansrError: if it is something else.
        """
        try:
            x, y, z = (int(side) for side in shape.split("x"))
            right, back, up = (float(part) for part in at.split("x"))
        except ValueError as error:
            raise UdeansrError(
                f"crop '{shape}' at '{at}' is no box; expected such as 96x96x64 at 0.5x0.5x0.7"
            ) from error
        if min(x, y, z) < 1 or not all(0 <= part <= 1 for part in (right, back, up)):
            raise UdeansrError(f"crop '{shape}' at '{at}': expected sides of at least 1, and parts from 0 to 1")
        return cls((z, y, x), (up, back, right))


@dataclass(frozen=True)
class Recipe:
    """How LR and HR are made from one scan.

    Attributes:
        scale: HR voxels in an LR voxel.
        degradation: what the LR scanner did beyond truncation.
        pairing: "unpaired", or "misaligned": the source HR has moved against the LR of the same person.
        seed: of the dataset; noise and motion of a scan come from the seed and the scan's name.
        crop: the box that each scan is cut to, or None.
    """

    scale: Scale
    degradation: Degradation = TRUNCATION
    pairing: str = "unpaired"
    seed: int = 0
    crop: CropBox | None = None


def simulate(
    hr_folder: Path,
    dataset_folder: Path,
    recipe: Recipe,
    counts: Counts | None = None,
    about: dict[str, str] | None = None,
    processes: int = 1,
    overwrite: bool = False,
) -> dict[str, tuple[str, ...]]:
    """Make a raw dataset by the paper's protocol. Nothing stands under its name before it is whole.

    The result depends on the scans, the recipe and the counts alone, whatever ``processes`` is.

    Args:
        hr_folder: HR scans, any format we read; scans whose names begin with the same ``sub-...`` are one person.
        dataset_folder: ``.../Dataset001_Name``.
        recipe: how LR and HR are made.
        counts: how many people each group takes.
        about: what goes into ``dataset.json``.
        processes: worker processes.
        overwrite: whether an earlier simulation may be replaced. Anything else never is.
    Returns: the people of each group: source, target, validation, test.
    Raises:
        UdeansrError: if the name is no dataset's, something is there already, people are too few, or a scan cannot be
            read or cropped.
    """
    dataset_folder = Path(dataset_folder)
    dataset_number(dataset_folder.name)
    _check_free(dataset_folder, hr_folder, overwrite)
    scans = _scans_by_person(hr_folder)
    groups = draw_groups(list(scans), counts or Counts(), recipe.pairing, recipe.seed)
    building = dataset_folder.with_name(f".{dataset_folder.name}.partial")
    shutil.rmtree(building, ignore_errors=True)
    try:
        tasks = [(group, scan) for group, people in groups.items() for person in people for scan in scans[person]]
        made = parallel_map(partial(_make, recipe=recipe, folder=building), tasks, processes, "simulating")
        _write_json(building / "dataset.json", {"name": dataset_folder.name.split("_", 1)[1], **(about or {})})
        _write_json(building / SIMULATION_FILE, _account(recipe, groups, tasks, made))
        if dataset_folder.exists():
            shutil.rmtree(dataset_folder)
        building.rename(dataset_folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
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


def _scans_by_person(hr_folder: Path) -> dict[str, list[Path]]:
    """The scans of each person."""
    scans: dict[str, list[Path]] = {}
    names: dict[str, Path] = {}
    for path in list_images(Path(hr_folder)):
        name = case_name(path)
        if name in names:
            raise UdeansrError(f"{path}: has the name of {names[name].name}; expected one scan of a name; rename one")
        names[name] = path
        scans.setdefault(subject(name), []).append(path)
    return scans


def _make(task: tuple[str, Path], recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Make the files of one scan in one group; returns what was done to it."""
    group, path = task
    stored = _read_magnitudes(path)
    hr = _divisible(reorient(stored, slab_orientation(stored.geometry)), recipe.scale, path)
    box = _crop_box(hr, recipe, path) if recipe.crop else ((0, 0, 0), hr.geometry.shape)
    done: dict[str, Any] = {"orientation": hr.geometry.orientation, "shape": list(hr.geometry.shape)}
    if recipe.crop:
        done["crop"] = {"first_voxel": list(box[0]), "shape": list(box[1])}
    # Noise and motion have generators of their own: the LR of a person is the same, whether its HR moves or not.
    noise, motion = (np.random.default_rng([recipe.seed, zlib.crc32(case_name(path).encode()), i]) for i in range(2))
    for name in _FOLDERS[group]:
        volume, within = hr, box
        if name in (TARGET_LR, VALIDATION_LR, TEST_LR):
            truncated = truncate_kspace(hr.voxels, recipe.scale)
            done["noise_sigma"] = noise_sigma(truncated, recipe.degradation)
            lr = acquire(truncated, recipe.degradation, noise)
            volume = Volume(lr, lr_geometry(hr.geometry, recipe.scale))
            within = (_divided(box[0], recipe.scale), _divided(box[1], recipe.scale))
        elif group == SOURCE and recipe.pairing == "misaligned":
            misalignment = draw_misalignment(motion)
            done["misalignment"] = asdict(misalignment)
            volume = misalign(hr, misalignment)
        volume = reorient(crop(volume, within), stored.geometry.orientation)
        voxels = denormalize(volume.voxels, 1.0, stored.voxels.dtype)
        suffix = image_suffix(path) or ".nii.gz"
        write_volume(Volume(voxels, volume.geometry), folder / name / f"{case_name(path)}{suffix}")
    return done


def _read_magnitudes(path: Path) -> Volume:
    """Read a scan; what interpolation left below 0 is set to 0, with a warning."""
    volume = read_volume(path)
    voxels = volume.voxels
    if not np.isfinite(voxels).all():
        raise UdeansrError(
            f"{path}: holds voxels that are no finite number; expected magnitudes; mend or remove the scan"
        )
    if not (voxels > 0).any():
        raise UdeansrError(f"{path}: no voxel is above 0; expected magnitudes; remove the scan")
    if voxels.min() >= 0:
        return volume
    if voxels.min() < -0.1 * voxels.max():
        raise UdeansrError(
            f"{path}: voxels go down to {voxels.min():g}; expected magnitudes, which are not below 0; "
            "give the scan as it was before it was shifted or scaled"
        )
    _logger.warning("%s: voxels below 0, down to %g, were set to 0", path, voxels.min())
    return Volume(np.maximum(voxels, 0), volume.geometry)


def _divided(voxels: Sequence[int], scale: Scale) -> tuple[int, int, int]:
    z, y, x = (n // s for n, s in zip(voxels, scale.zyx, strict=True))
    return (z, y, x)


def _divisible(hr: Volume, scale: Scale, path: Path) -> Volume:
    """Cut the few outermost voxels, so that each side divides by its scale."""
    cells = _divided(hr.geometry.shape, scale)
    if min(cells) == 0:
        raise UdeansrError(f"{path}: {_in_words(hr.geometry.shape)} voxels are too few for {scale}; remove the scan")
    z, y, x = (n * s for n, s in zip(cells, scale.zyx, strict=True))
    start = tuple((n - kept) // 2 for n, kept in zip(hr.geometry.shape, (z, y, x), strict=True))
    return crop(hr, ((start[0], start[1], start[2]), (z, y, x)))


def _crop_box(hr: Volume, recipe: Recipe, path: Path) -> Box:
    """Where the wanted box lies in the divisible HR; its corners lie on corners of LR voxels."""
    assert recipe.crop is not None
    shape, scale = recipe.crop.shape, recipe.scale.zyx
    if any(n % s for n, s in zip(shape, scale, strict=True)):
        raise UdeansrError(
            f"--crop {_in_words(shape)} does not divide by {recipe.scale}; expected multiples of the scale"
        )
    if any(n > side for n, side in zip(shape, hr.geometry.shape, strict=True)):
        raise UdeansrError(
            f"{path}: has {_in_words(hr.geometry.shape)} voxels, --crop asks for {_in_words(shape)}; "
            "give a smaller box or remove the scan"
        )
    first, extent = foreground_box(hr.voxels)
    start = []
    for axis in range(3):
        centre = first[axis] + recipe.crop.at[axis] * extent[axis]
        wanted = round((centre - shape[axis] / 2) / scale[axis]) * scale[axis]
        start.append(min(max(wanted, 0), hr.geometry.shape[axis] - shape[axis]))
    return (start[0], start[1], start[2]), shape


def _in_words(shape: Sequence[int]) -> str:
    """A shape as the command line takes it: in-plane x in-plane x through-plane."""
    return "x".join(str(n) for n in reversed(shape))


def _account(
    recipe: Recipe, groups: dict[str, tuple[str, ...]], tasks: list[tuple[str, Path]], made: list[dict[str, Any]]
) -> dict[str, Any]:
    """What ``simulation.json`` holds: all that is needed to check a measure against the truth."""
    return {
        "udeansr": __version__,
        "scale": str(recipe.scale),
        "degradation": asdict(recipe.degradation),
        "pairing": recipe.pairing,
        "seed": recipe.seed,
        "crop": asdict(recipe.crop) if recipe.crop else None,
        "people": {group: list(names) for group, names in groups.items()},
        "scans": {
            group: {case_name(path): done for (own, path), done in zip(tasks, made, strict=True) if own == group}
            for group in groups
        },
    }


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
