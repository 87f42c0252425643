"""Folders of SR images against a folder of HR images of the same names."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.evaluation.fidelity import gain, largest_shift_voxels, spectrum_error_db
from udeansr.evaluation.metrics import mean_over_slices, mean_over_volume, nrmse, psnr, similarity_2d, similarity_3d
from udeansr.evaluation.scores import FolderScores, Scores
from udeansr.image.cropping import foreground_mask
from udeansr.image.files import list_images, read_volume
from udeansr.image.grid import format_spacing, reorient, same_grid, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.normalization import intensity_scale, normalize
from udeansr.image.volume import Geometry, Volume
from udeansr.parallel import parallel_map

SLICE_AXES = {"sagittal": "LSP", "coronal": "PSL", "axial": "SPL"}
"""Orientations (Z, Y, X) in which the slices of 2-D SSIM lie along the first axis, by the name of the slices."""

_logger = logging.getLogger(__name__)
_Score = TypeVar("_Score")


@dataclass(frozen=True)
class Pair:
    """An SR image, the HR image it is judged by, and how its slices are cut."""

    sr: Path
    hr: Path
    slices: str | None


def evaluate(sr: Sequence[Path], hr: Path, slices: str | None = None, processes: int = 1) -> Scores:
    """Score every image of one or more folders by the image of the same name in the reference folder.

    Args:
        sr: folders, or single images where ``hr`` is one too.
        hr: the reference.
        slices: "sagittal", "coronal" or "axial" slices for 2-D SSIM; None takes those across the axis of the
            coarsest spacing of the reference, of equal ones the last stored.
        processes: images scored at once.
    Raises:
        UdeansrError: if images have no partner, a grid differs from its reference's, or an image cannot be read.
    """
    if slices is not None and slices not in SLICE_AXES:
        raise UdeansrError(f"slices '{slices}' are none; expected {', '.join(SLICE_AXES)}")
    pairs = {folder: _pairs(folder, hr, slices) for folder in sr}
    flat = [pair for found in pairs.values() for pair in found.values()]
    scores = iter(parallel_map(score_pair, flat, processes, "scoring"))
    labels = _labels(list(pairs))
    return Scores(
        _name(hr),
        tuple(FolderScores(labels[folder], {name: next(scores) for name in pairs[folder]}) for folder in pairs),
    )


def score_pair(pair: Pair) -> dict[str, float]:
    """All metrics of one image, both divided by the reference's intensity scale; keys as ``METRICS``.

    Raises:
        UdeansrError: naming both files if their grids differ, or the one whose voxels cannot be scored.
    """
    sr, hr = _finite(pair.sr), _finite(pair.hr)
    orientation = SLICE_AXES[pair.slices] if pair.slices else slab_orientation(hr.geometry)
    sr, hr = reorient(sr, orientation), reorient(hr, orientation)
    if not same_grid(sr.geometry, hr.geometry):
        raise UdeansrError(
            f"{pair.sr} and {pair.hr} lie on different grids: {difference(sr.geometry, hr.geometry)}; expected one "
            "grid; give the HR of these very images, or resample it onto their grid"
        )
    try:
        scale = intensity_scale(hr.voxels)
    except ValueError as error:
        raise UdeansrError(f"{pair.hr}: no voxel is above 0; expected a reference with an image in it") from error
    image, reference = normalize(sr.voxels, scale), normalize(hr.voxels, scale)
    mask = foreground_mask(hr.voxels)
    slices = _or_none(pair, "SSIM", similarity_2d, image, reference)
    volume = _or_none(pair, "SSIM", similarity_3d, image, reference)
    scores = {}
    for prefix, counted in (("", None), ("foreground_", mask)):
        scores[f"{prefix}psnr_db"] = psnr(image, reference, counted)
        scores[f"{prefix}ssim_2d"] = _mean(mean_over_slices, slices, counted)
        scores[f"{prefix}ssim_3d"] = _mean(mean_over_volume, volume, counted)
        scores[f"{prefix}nrmse"] = nrmse(image, reference, counted)
    errors_db = spectrum_error_db(image, reference)
    scores |= {f"spectrum_{band}_db": error for band, error in errors_db.items()}
    for band in (band for band, error in errors_db.items() if math.isnan(error)):
        _logger.warning("%s: no spectrum error in the %s band: it or its reference has no power there", pair.sr, band)
    scores["shift_voxels"] = _or_nan(pair, "shift", largest_shift_voxels, image, reference)
    scores["gain"] = _or_nan(pair, "gain", gain, image, reference)
    return scores


def difference(one: Geometry, other: Geometry) -> str:
    """How two grids of one orientation differ, in words with mm."""
    if one.shape != other.shape:
        spacings = f"{format_spacing(one.spacing_mm)} and {format_spacing(other.spacing_mm)}"
        return f"{_times(one.shape)} and {_times(other.shape)} voxels of {spacings}"
    corners = np.array(np.meshgrid(*((0, n - 1) for n in one.shape))).reshape(3, -1).T
    farthest = np.linalg.norm(one.world_mm(corners) - other.world_mm(corners), axis=1).max()
    origins = np.linalg.norm(one.world_mm((0, 0, 0)) - other.world_mm((0, 0, 0)))
    return f"{farthest:.3g} mm apart at the farthest corner, {origins:.3g} mm at the first voxel"


def _pairs(folder: Path, hr: Path, slices: str | None) -> dict[str, Pair]:
    """Partners by name, whatever their suffix; two single images are partners whatever their names."""
    images, references = _by_name(folder), _by_name(hr)
    if folder.is_file() and hr.is_file():
        return {case_name(folder): Pair(folder, hr, slices)}
    faults = []
    alone = sorted(set(images) - set(references))
    if alone:
        faults.append(f"{len(alone)} of {folder} have no image of their name in {hr}: {', '.join(alone)}")
    missing = sorted(set(references) - set(images))
    if missing:
        faults.append(f"{len(missing)} of {hr} have none in {folder}: {', '.join(missing)}")
    if faults:
        raise UdeansrError("; ".join(faults) + "; expected the same names in both, so rename or complete the folders")
    return {name: Pair(path, references[name], slices) for name, path in images.items()}


def _by_name(folder: Path) -> dict[str, Path]:
    """The images of a folder by their names without suffix."""
    images: dict[str, Path] = {}
    for path in list_images(folder):
        name = case_name(path)
        if name in images:
            raise UdeansrError(f"{folder}: {images[name].name} and {path.name} have one name; take one of them out")
        images[name] = path
    return images


def _labels(folders: list[Path]) -> dict[Path, str]:
    """The last part of each path, or the whole where two would be called the same."""
    names = [_name(folder) for folder in folders]
    return {
        folder: name if names.count(name) == 1 else str(folder) for folder, name in zip(folders, names, strict=True)
    }


def _name(path: Path) -> str:
    return path.name or path.resolve().name


def _finite(path: Path) -> Volume:
    """Read a volume of numbers only."""
    volume = read_volume(path)
    if not np.isfinite(volume.voxels).all():
        count = int(np.count_nonzero(~np.isfinite(volume.voxels)))
        raise UdeansrError(f"{path}: {count} voxels are not finite; expected numbers only; make the file again")
    return volume


def _or_none(pair: Pair, name: str, measure: Callable[..., _Score], *arguments: object) -> _Score | None:
    """What a measure says, or none, with a warning, where the images are such that it says nothing."""
    try:
        return measure(*arguments)
    except ValueError as error:
        _logger.warning("%s: no %s: %s", pair.sr, name, error)
        return None


def _or_nan(pair: Pair, name: str, measure: Callable[..., float], *arguments: object) -> float:
    """A score, or not a number, with a warning, where there is none."""
    score = _or_none(pair, name, measure, *arguments)
    return math.nan if score is None else score


def _mean(mean: Callable[..., float], similarity: np.ndarray | None, mask: np.ndarray | None) -> float:
    """The mean of a map of SSIM; not a number without a map, or where nothing that counts lies within it."""
    try:
        return math.nan if similarity is None else mean(similarity, mask)
    except ValueError:
        return math.nan


def _times(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))
