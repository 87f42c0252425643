"""Simulate one scan: the HR and LR files of its group from one HR scan, by a recipe."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from udeansr.degradation.kspace import TRUNCATION, Degradation, acquire, noise_sigma, sample
from udeansr.degradation.misalignment import draw_misalignment, misalign
from udeansr.degradation.subjects import SOURCE, TARGET, TEST, VALIDATION
from udeansr.errors import UdeansrError
from udeansr.image.cropping import Box, crop, foreground_box
from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale, lr_geometry, reorient, slab_orientation
from udeansr.image.names import case_name, image_suffix
from udeansr.image.normalization import denormalize
from udeansr.image.volume import Volume
from udeansr.paths import SOURCE_HR, TARGET_LR, TEST_HR, TEST_LR, VALIDATION_HR, VALIDATION_LR

_logger = logging.getLogger(__name__)


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
        pairing: "unpaired", or "misaligned": the source HR has moved against the LR of the same subject.
        seed: of the dataset; noise and motion of a scan come from the seed and the scan's name.
        crop: the box that each scan is cut to, or None.
    """

    scale: Scale
    degradation: Degradation = TRUNCATION
    pairing: str = "unpaired"
    seed: int = 0
    crop: CropBox | None = None


_FOLDERS = {
    SOURCE: (SOURCE_HR,),
    TARGET: (TARGET_LR,),
    VALIDATION: (VALIDATION_LR, VALIDATION_HR),
    TEST: (TEST_LR, TEST_HR),
}


def simulate_scan(task: tuple[str, Path], recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Make the files of one scan in one group.

    Args:
        task: the group ("source", "target", "validation", "test") and the HR scan.
        recipe: how LR and HR are made.
        folder: of the dataset; ``sourceHR/`` and the others are made in it.
    Returns: what was done: orientation and shape in which it was degraded, crop, noise_sigma in the unit of the image,
        misalignment.
    Raises:
        UdeansrError: if the scan cannot be read or cropped, or does not hold magnitudes.
    """
    group, path = task
    stored = _read_magnitudes(path)
    hr = _divisible(reorient(stored, slab_orientation(stored.geometry)), recipe.scale, path)
    box = _crop_box(hr, recipe, path) if recipe.crop else ((0, 0, 0), hr.geometry.shape)
    done: dict[str, Any] = {"orientation": hr.geometry.orientation, "shape": list(hr.geometry.shape)}
    if recipe.crop:
        done["crop"] = {"first_voxel": list(box[0]), "shape": list(box[1])}
    # Noise and motion have generators of their own: the LR of a subject is the same, whether its HR moves or not.
    noise, motion = (np.random.default_rng([recipe.seed, zlib.crc32(case_name(path).encode()), i]) for i in range(2))
    for name in _FOLDERS[group]:
        volume, within = hr, box
        if name in (TARGET_LR, VALIDATION_LR, TEST_LR):
            truncated = sample(hr.voxels, recipe.scale, recipe.degradation)
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
            f"{path}: holds voxels that are no finite number; expected magnitudes; repair or remove the scan"
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
        raise UdeansrError(f"{path}: {_axis_sizes(hr.geometry.shape)} voxels are too few for {scale}; remove the scan")
    z, y, x = (n * s for n, s in zip(cells, scale.zyx, strict=True))
    start = tuple((n - kept) // 2 for n, kept in zip(hr.geometry.shape, (z, y, x), strict=True))
    return crop(hr, ((start[0], start[1], start[2]), (z, y, x)))


def _crop_box(hr: Volume, recipe: Recipe, path: Path) -> Box:
    """Where the wanted box lies in the divisible HR; its corners lie on corners of LR voxels."""
    assert recipe.crop is not None
    shape, scale = recipe.crop.shape, recipe.scale.zyx
    if any(n % s for n, s in zip(shape, scale, strict=True)):
        raise UdeansrError(
            f"--crop {_axis_sizes(shape)} does not divide by {recipe.scale}; expected multiples of the scale"
        )
    if any(n > side for n, side in zip(shape, hr.geometry.shape, strict=True)):
        raise UdeansrError(
            f"{path}: has {_axis_sizes(hr.geometry.shape)} voxels, --crop asks for {_axis_sizes(shape)}; "
            "give a smaller box or remove the scan"
        )
    first, extent = foreground_box(hr.voxels)
    start = []
    for axis in range(3):
        centre = first[axis] + recipe.crop.at[axis] * extent[axis]
        wanted = round((centre - shape[axis] / 2) / scale[axis]) * scale[axis]
        start.append(min(max(wanted, 0), hr.geometry.shape[axis] - shape[axis]))
    return (start[0], start[1], start[2]), shape


def _axis_sizes(shape: Sequence[int]) -> str:
    """A shape as the command line takes it: in-plane x in-plane x through-plane."""
    return "x".join(str(n) for n in reversed(shape))
