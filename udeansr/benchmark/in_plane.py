"""Scans of thick slices as their own truth: thickened along an axis of their plane, and restored."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from udeansr.degradation.slice_profile import acquire_slices
from udeansr.degradation.true_resolution import resolved_fraction
from udeansr.errors import UdeansrError
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.grid import Scale, format_spacing, lr_geometry, reorient, slab_orientation
from udeansr.image.names import case_name
from udeansr.image.resampling import tricubic
from udeansr.image.volume import Volume
from udeansr.models.choice import ModelQuery
from udeansr.paths import results_root
from udeansr.prediction.options import Options
from udeansr.prediction.predict import predict
from udeansr.prediction.self_training import THICK

LR, HR, OWN, CUBIC = "lr", "hr", "self", "tricubic"
"""Folders of what is made."""


def restore_in_plane(scans: Path, output: Path, settings: tuple[str, ...] = (), device: str = "auto") -> None:
    """Thicken each scan along an axis of its plane, as thick as its slices are; restore it by ``self`` and cubically.

    Args:
        scans: folder of scans of thick slices, or one scan.
        output: folder; what is there under the names of this module is refused.
        settings: of ``self``, each METHOD.NAME=VALUE.
        device: where to learn and predict.
    Raises:
        UdeansrError: if something is there already, or a scan has no thick slices or too small ones; nothing is left.
    """
    paths = list_images(scans)
    for folder in (LR, HR, OWN, CUBIC):
        if (output / folder).exists():
            raise UdeansrError(f"{output / folder}: is there already; give another -o, or remove it")
    made = {case_name(path): thickened_in_plane(path) for path in paths}
    for name, (truth, lr) in made.items():
        write_volume(truth, output / HR / f"{name}.nii.gz")
        write_volume(lr, output / LR / f"{name}.nii.gz")
        scale = Scale(truth.geometry.shape[0] // lr.geometry.shape[0], 1, 1)
        write_volume(Volume(tricubic(lr.voxels, scale), truth.geometry), output / CUBIC / f"{name}.nii.gz")
    query = ModelQuery(results_root(None), method="self")
    try:
        predict(output / LR, output / OWN, query, Options(device=device, settings=settings))
    except UdeansrError:
        for folder in (LR, HR, OWN, CUBIC):
            shutil.rmtree(output / folder, ignore_errors=True)
        raise


def thickened_in_plane(path: Path) -> tuple[Volume, Volume]:
    """A scan, and slices of it along the axis of its plane that resolves more, hardly thicker than its own.

    Args:
        path: of a scan of thick slices.
    Returns: the scan, cut to whole slices, and those slices, both with that axis first.
    Raises:
        UdeansrError: if its slices are not thick.
    """
    stored = read_volume(path)
    letters = slab_orientation(stored.geometry)
    scan = reorient(stored, letters)
    spacing_mm = scan.geometry.spacing_mm
    axis = max((1, 2), key=lambda one: resolved_fraction(scan.voxels, one) / spacing_mm[one])
    ratio = spacing_mm[0] / spacing_mm[axis]
    if ratio < THICK:
        raise UdeansrError(
            f"{path}: {format_spacing(spacing_mm)}; expected slices at least {THICK} times as thick as the pixels "
            "of their plane; leave this scan out"
        )
    hr = reorient(stored, letters[axis] + letters[0] + letters[3 - axis])
    factor = int(ratio) + 1  # so that these slices are the coarsest axis
    return whole_slices(hr, factor), thicken(hr, factor)


def whole_slices(hr: Volume, factor: int) -> Volume:
    """A volume (slices first) without the last voxels that fill no whole slice."""
    depth = hr.voxels.shape[0] // factor * factor
    return Volume(hr.voxels[:depth], replace(hr.geometry, shape=(depth, *hr.geometry.shape[1:])))


def thicken(
    hr: Volume, factor: int, thickness: float = 1.0, profile: str = "gaussian", noise: float = 0.0, seed: int = 0
) -> Volume:
    """Slices of a volume.

    Args:
        hr: slices first.
        factor: voxels from slice to slice.
        thickness: full width at half maximum of the slice profile over the distance of slices.
        profile: its shape, of ``SLICE_PROFILES``.
        noise: sigma of Rician noise, as a part of the mean of what is above the mean.
        seed: of the noise.
    """
    whole = whole_slices(hr, factor)
    lr = acquire_slices(whole.voxels, factor, thickness * factor, profile)
    if noise > 0:
        sigma, rng = noise * hr.voxels[hr.voxels > hr.voxels.mean()].mean(), np.random.default_rng(seed)
        channels = [rng.normal(0, sigma, lr.shape) for _ in range(2)]
        lr = np.hypot(lr + channels[0], channels[1])
    return Volume(lr.astype(np.float32), lr_geometry(whole.geometry, Scale(factor, 1, 1)))
