"""An SR and its LR on grids that fit, and the degradation that brings the one nearest to the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.measured_degradation import MeasuredDegradation, apply_measured, width_voxels
from udeansr.degradation.slice_profile import acquire_slices
from udeansr.degradation.spectrum import log_spectrum, taper
from udeansr.degradation.true_resolution import noise_sigma
from udeansr.errors import UdeansrError
from udeansr.evaluation.fidelity import gain
from udeansr.image.cropping import crop, foreground_box
from udeansr.image.grid import Scale, reorient, same_grid, slab_orientation, sr_geometry
from udeansr.image.normalization import intensity_scale, normalize
from udeansr.image.resampling import resample_onto
from udeansr.image.volume import Geometry, Volume, triple

BINS = 16
"""Of |f| / Nyquist of the LR, for the transfer."""

PROFILES: tuple[tuple[str, float], ...] = (("gaussian", 0.7), ("gaussian", 1.0), ("gaussian", 1.4), ("box", 1.0))
"""Slice profiles, with their thickness over the distance of slices, that are tried beside truncation."""

MARGIN = 4
"""LR voxels around the foreground that are looked at."""

CLEARLY = 0.8
"""Slices are taken for slices where they leave less than this part of what truncation leaves."""

ROUNDS = 4
"""Of the alternating fit of the three axes."""

_MOST_FACTOR = 8


@dataclass(frozen=True)
class Pair:
    """An SR and its LR, both over the level of the LR that becomes 1.

    Attributes:
        lr: (Z, Y, X), slab axis first, cropped to the foreground.
        sr: the same field of view, ``scale`` voxels for one.
        scale: between the two.
        geometry: of the LR.
        level: of the LR, in the unit of the images.
    """

    lr: np.ndarray
    sr: np.ndarray
    scale: Scale
    geometry: Geometry
    level: float

    @property
    def fine(self) -> Geometry:
        """The grid of ``sr``."""
        return sr_geometry(self.geometry, self.scale)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the LR's noise, normalised."""
        return noise_sigma(self.lr)

    @cached_property
    def degradation(self) -> MeasuredDegradation:
        """What brings SR nearest to its LR: truncation or slices, then a transfer along each axis that only lowers.

        It never raises, so that an SR that is smoother than its LR stays so.
        """
        tried = [(None, 1.0), *(PROFILES if self.scale.z > 1 else ())]
        fits = [(_fit(self._coarse(*one), self.lr, one[0] is None), one) for one in tried]
        (_, curves), (profile, thickness) = min(fits, key=lambda fit: fit[0][0] / (1 if fit[1][0] is None else CLEARLY))
        frequencies = (np.arange(BINS) + 0.5) / BINS
        widths = [width_voxels(frequencies, curve) for curve in curves]
        if profile is not None:
            widths[0] = thickness
        measured = MeasuredDegradation(
            frequencies=tuple(frequencies.tolist()),
            transfer=triple(tuple(curve.tolist()) for curve in curves),
            width_mm=triple(width * mm for width, mm in zip(widths, self.geometry.spacing_mm, strict=True)),
            noise=self.noise,
            gain=1.0,
            residual=0.0,
            slice_profile=profile,
            slice_thickness=thickness,
        )
        again = self.degraded(measured)
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = np.log10(np.exp(log_spectrum(again)) + self.noise**2) - log_spectrum(self.lr) / np.log(10)
        filled = difference[np.isfinite(difference)]
        residual = float(np.sqrt(np.mean(np.square(filled)))) if filled.size else 0.0
        return replace(measured, gain=1 / max(gain(again, self.lr), 1e-6), residual=residual)

    def degraded(self, measured: MeasuredDegradation | None = None) -> np.ndarray:
        """SR as the scanner of the LR would have seen it: (Z, Y, X) of the LR."""
        return np.abs(apply_measured(self.sr, self.scale, measured or self.degradation))

    def on_sr_grid(self, volume: Volume) -> np.ndarray:
        """Another image, HR or a map, on the grid of ``sr``, over the level of the LR."""
        turned = reorient(volume, self.geometry.orientation)
        if not same_grid(turned.geometry, self.fine):
            turned = resample_onto(turned, self.fine)
        return normalize(turned.voxels, self.level)

    def _coarse(self, profile: str | None, thickness: float) -> np.ndarray:
        """SR on the grid of the LR, by truncation or in slices."""
        if profile is None:
            return truncate_kspace(self.sr, self.scale)
        slices = acquire_slices(self.sr, self.scale.z, thickness * self.scale.z, profile)
        return truncate_kspace(slices, Scale(1, self.scale.y, self.scale.x))


def make_pair(lr: Volume, sr: Volume) -> Pair:
    """Bring an LR and its SR to grids of which one tiles the other.

    Args:
        lr: as it is stored.
        sr: as it is stored; one on another grid than a tiling of the LR's is resampled.
    Raises:
        UdeansrError: if the LR is empty.
    """
    try:
        level = intensity_scale(lr.voxels)
    except ValueError as error:
        raise UdeansrError("the LR has no voxel above 0; expected an image of magnitudes") from error
    orientation = slab_orientation(lr.geometry)
    lr, sr = reorient(lr, orientation), reorient(sr, orientation)
    lr = crop(lr, foreground_box(lr.voxels, MARGIN))
    factors = [
        min(max(round(coarse / fine), 1), _MOST_FACTOR)
        for coarse, fine in zip(lr.geometry.spacing_mm, sr.geometry.spacing_mm, strict=True)
    ]
    scale = Scale(*factors)
    fine = sr_geometry(lr.geometry, scale)
    part = _part(sr, fine)
    voxels = part if part is not None else resample_onto(sr, fine).voxels
    return Pair(normalize(lr.voxels, level), normalize(voxels, level), scale, lr.geometry, level)


def _part(volume: Volume, grid: Geometry) -> np.ndarray | None:
    """The voxels of a volume on a grid that is a part of its own; None where it is not."""
    start = np.asarray(volume.geometry.axes) @ (np.asarray(grid.origin_mm) - np.asarray(volume.geometry.origin_mm))
    first = np.rint(start / volume.geometry.spacing_mm).astype(int)
    if (first < 0).any() or (first + grid.shape > volume.voxels.shape).any():
        return None
    part = crop(volume, (triple(map(int, first)), grid.shape))
    return part.voxels if same_grid(part.geometry, grid, tolerance_mm=0.01) else None


def _fit(coarse: np.ndarray, lr: np.ndarray, all_axes: bool) -> tuple[float, list[np.ndarray]]:
    """How much of an image's amplitude an LR has along each axis, by least squares over cells of the spectrum.

    Args:
        coarse: the image, on the grid of the LR.
        lr: the LR.
        all_axes: whether Z has a transfer too.
    Returns: the power that is left, over that of the LR; for (Z, Y, X) the transfer (BINS,), from 1, never rising.
    """
    one, other = (np.fft.rfftn(taper(image)[0]) for image in (coarse, lr))
    sides = [np.abs(np.fft.fftfreq(n))[: one.shape[axis]] for axis, n in enumerate(lr.shape)]
    z, y, x = (np.minimum((2 * BINS * side).astype(int), BINS - 1) for side in sides)
    cell = ((z[:, None, None] * BINS + y[:, None]) * BINS + x).ravel()
    cross, power, whole = (
        np.bincount(cell, values.ravel(), BINS**3).reshape(BINS, BINS, BINS)
        for values in (np.real(np.conj(one) * other), np.square(np.abs(one)), np.square(np.abs(other)))
    )
    curves = [np.ones(BINS) for _ in range(3)]
    for _ in range(ROUNDS):
        for axis in range(0 if all_axes else 1, 3):
            shapes = [curve.reshape([-1 if i == place else 1 for i in range(3)]) for place, curve in enumerate(curves)]
            first, second = others = tuple(i for i in range(3) if i != axis)
            rest = shapes[first] * shapes[second]
            ratio = (cross * rest).sum(others) / np.maximum((power * rest**2).sum(others), np.finfo(float).tiny)
            curves[axis] = np.minimum.accumulate(np.clip(ratio / max(ratio[0], 1e-6), 0, 1))
    made = curves[0][:, None, None] * curves[1][:, None] * curves[2]
    level = (cross * made).sum() / max((power * made**2).sum(), np.finfo(float).tiny)
    left = (power * (level * made) ** 2 - 2 * cross * level * made + whole).sum() / whole.sum()
    return float(left), curves
