"""From a volume as scanned to an array to train on, in the box that is trained on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from udeansr.degradation.tone_curve import toned
from udeansr.errors import UdeansrError
from udeansr.image.cropping import Box, crop, foreground_box
from udeansr.image.grid import Scale, format_spacing, reorient, same_grid, sr_geometry, sub_geometry
from udeansr.image.normalization import intensity_scale, normalize
from udeansr.image.resampling import resample_onto, to_spacing
from udeansr.image.volume import Geometry, Volume, triple
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan


def training_box(box: Box, shape: tuple[int, ...], minimum: tuple[int, ...], multiple: tuple[int, ...]) -> Box:
    """Grow a box until each side holds ``minimum`` and divides by ``multiple``, shrink it where the volume ends.

    Args:
        box: inside the volume.
        shape: of the volume, (Z, Y, X).
        minimum: smallest sides, each a multiple of ``multiple``.
        multiple: what the sides divide by.
    Returns: a box that leaves the volume only where the volume is smaller than ``minimum``.
    """
    starts, sides = [], []
    for start, extent, length, least, step in zip(*box, shape, minimum, multiple, strict=True):
        side = max(least, -(-extent // step) * step)
        if side > length:
            side = max(least, length // step * step)
        centred = start + (extent - side) // 2
        starts.append(min(max(centred, 0), length - side) if side <= length else (length - side) // 2)
        sides.append(side)
    return triple(starts), triple(sides)


_logger = logging.getLogger(__name__)

MARGIN_LR_VOXELS = 4
"""Air kept around the foreground, so that networks learn the border of the head as well."""


@dataclass(frozen=True)
class Prepared:
    """A volume ready to train on.

    Attributes:
        voxels: (Z, Y, X) float32 in the plan's orientation: intensities / ``level``.
        geometry: where these voxels lie.
        whole: the grid from which they were cut, in the plan's orientation.
        start: the voxel of ``whole`` that is their first; negative where the volume was padded.
        intensity_scale: of the whole volume (of the LR, for the HR of a pair), in the unit of the file.
        level: what the voxels were divided by: ``intensity_scale``, times the plan's ``lr_gain`` for LR and pairs.
    """

    voxels: np.ndarray
    geometry: Geometry
    whole: Geometry
    start: tuple[int, int, int]
    intensity_scale: float
    level: float


def prepare_hr(volume: Volume, plan: Plan, configuration: Configuration, path: Path) -> Prepared:
    """Prepare source HR: reorient, bring to the LR's contrast and the plan's spacing, cut to the foreground, normalise.

    Each side of the result divides by the scale and holds at least a patch.

    Args:
        volume: HR as read.
        plan: gives the orientation, and with a measured degradation the tone curve.
        configuration: gives spacing, scale, slab and patch, and says whether the degradation is the measured one.
        path: the file, for messages.
    Raises:
        UdeansrError: if no voxel is positive.
    """
    unit = _intensity_scale(volume, path)
    measured = plan.degradation if configuration.task.source_degradation == "measured" else None
    volume = toned(reorient(volume, plan.orientation), measured.tone if measured else None)
    stored_mm = volume.geometry.spacing_mm
    volume = to_spacing(volume, configuration.task.hr_spacing_mm)
    if volume.geometry.spacing_mm != stored_mm:
        _logger.warning(
            "%s: HR of %s was resampled to %s, as planned",
            *(path, format_spacing(stored_mm), format_spacing(volume.geometry.spacing_mm)),
        )
    return _cut(volume, configuration.task.factors, configuration, unit, unit, path)


def prepare_lr(volume: Volume, plan: Plan, configuration: Configuration, path: Path) -> Prepared:
    """Prepare target LR: reorient, cut to the foreground, normalise to the level of HR.

    LR is resampled only along the band axes, where HR is coarser. The result holds at least a patch. Arguments and
    errors as in :func:`prepare_hr`.
    """
    unit = _intensity_scale(volume, path)
    volume = _in_band(reorient(volume, plan.orientation), configuration)
    return _cut(volume, Scale(1, 1, 1), configuration, unit, unit * plan.lr_gain, path)


def prepare_pair(
    lr: Volume, hr: Volume, plan: Plan, configuration: Configuration, lr_path: Path, hr_path: Path
) -> tuple[Prepared, Prepared]:
    """Prepare an LR with its HR: one field of view, one level, so that SR of the one compares with the other.

    The LR is cut to its foreground; the HR is brought onto the grid of the SR of that cut. It is interpolated, with a
    warning, only where it does not lie on that grid already.

    Args:
        lr: LR as read.
        hr: HR as read, of the same subject at the same place in the world.
        plan: gives orientation and gain.
        configuration: gives the scale.
        lr_path: the LR file, for messages.
        hr_path: the HR file, for messages.
    Returns: LR and HR.
    Raises:
        UdeansrError: if no voxel of the LR is positive.
    """
    unit = _intensity_scale(lr, lr_path)
    level = unit * plan.lr_gain
    lr, hr = _in_band(reorient(lr, plan.orientation), configuration), reorient(hr, plan.orientation)
    start, shape = foreground_box(lr.voxels, MARGIN_LR_VOXELS)
    low = crop(lr, (start, shape))
    factors = configuration.task.factors.zyx
    hr_start = triple(a * s for a, s in zip(start, factors, strict=True))
    hr_shape = triple(n * s for n, s in zip(shape, factors, strict=True))
    whole = sr_geometry(lr.geometry, configuration.task.factors)
    if same_grid(hr.geometry, whole):
        high = crop(hr, (hr_start, hr_shape))
    else:
        _logger.warning(
            "%s: not on the grid of the SR of %s (%s voxels of %s; expected %s of %s); it was resampled onto it",
            hr_path, lr_path.name, hr.geometry.shape, format_spacing(hr.geometry.spacing_mm),
            whole.shape, format_spacing(whole.spacing_mm),
        )  # fmt: skip
        high = resample_onto(hr, sub_geometry(whole, hr_start, hr_shape))
    return (
        Prepared(normalize(low.voxels, level), low.geometry, lr.geometry, start, unit, level),
        Prepared(normalize(high.voxels, level), high.geometry, whole, hr_start, unit, level),
    )


def _in_band(lr: Volume, configuration: Configuration) -> Volume:
    """Reoriented LR, brought to the HR's spacing along the axes where HR is coarser."""
    return to_spacing(lr, configuration.task.lr_spacing_mm, configuration.task.band_axes)


def _cut(volume: Volume, scale: Scale, configuration: Configuration, unit: float, level: float, path: Path) -> Prepared:
    """Cut a reoriented volume to its foreground, or to a patch where that is larger, and divide it by its level."""
    patch = configuration.task.least_lr_voxels(configuration.size.patch_size)
    minimum = tuple(n * s for n, s in zip(patch, scale.zyx, strict=True))
    margin = MARGIN_LR_VOXELS * max(scale.zyx)
    found = foreground_box(volume.voxels, margin)
    start, shape = training_box(found, volume.voxels.shape, minimum, scale.zyx)
    if all(n <= side for n, side in zip(shape, volume.voxels.shape, strict=True)):
        part = crop(volume, (start, shape))
    else:
        _logger.warning(
            "%s: %s voxels are fewer than a patch needs (%s); its edge was repeated",
            path, volume.voxels.shape, minimum,
        )  # fmt: skip
        part = _pad(volume, (start, shape))
    return Prepared(normalize(part.voxels, level), part.geometry, volume.geometry, start, unit, level)


def _pad(volume: Volume, box: Box) -> Volume:
    """The box of a volume that it does not fill, its edge voxels repeated."""
    from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd  # 2 s and 230 MB; seldom needed

    start, shape = box
    sides = [[a, a + n] for a, n in zip(start, shape, strict=True)]
    voxels = crop_and_pad_nd(volume.voxels, sides, pad_mode="edge")
    return Volume(np.asarray(voxels), sub_geometry(volume.geometry, start, shape))


def _intensity_scale(volume: Volume, path: Path) -> float:
    try:
        return intensity_scale(volume.voxels)
    except ValueError as error:
        raise UdeansrError(f"{path}: {error}; expected a magnitude image; take the file out of the dataset") from error
