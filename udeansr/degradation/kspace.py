"""Simulate LR acquisition from HR arrays: k-space truncation, apodisation, partial Fourier, noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.fft

from udeansr.degradation.slice_profile import acquire_slices, check_profile, profile_transfer
from udeansr.errors import UdeansrError
from udeansr.image.cropping import foreground_mask
from udeansr.image.grid import Scale

AXES = "ZYX"

LEAST_THICKNESS, MOST_THICKNESS = 0.3, 3.0
"""Of a slice over the distance of slices."""


@dataclass(frozen=True)
class Degradation:
    """What a scanner of lower resolution did beyond measuring fewer samples.

    Attributes:
        apodization: strength a of the k-space window 1 - a + a cos(0.9 pi f) along every axis, where f = |f| / Nyquist
            of the LR; 0 is none, 0.46 a Hamming window that ends at 0.9 of its half width.
        partial_fourier: the part of the lines that was measured along one axis, above 0.5 up to 1; 0.75 is 6/8. The
            others are zero-filled.
        partial_fourier_axis: "Z", "Y" or "X": the phase-encoding axis of an array with its slab axis first.
        elliptical: whether only the ellipsoid within k-space was measured.
        slice_profile: of 2-D scans, whose slices are excited and not encoded: "gaussian" or "box", instead of
            truncation along the slab axis, which then has no window either; None: encoded as the others are.
        slice_thickness: full width at half maximum of the profile over the distance of slices: 0.7 is a gap of 30 %.
        noise: standard deviation of white noise in each of the two complex channels, as a fraction of the mean of the
            foreground. The image is their magnitude, so that the noise is Rician.

    Raises:
        UdeansrError: if a value is out of its range.
    """

    apodization: float = 0.0
    partial_fourier: float = 1.0
    partial_fourier_axis: str = "Y"
    elliptical: bool = False
    noise: float = 0.0
    slice_profile: str | None = None
    slice_thickness: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no scanner does."""
        if not 0 <= self.apodization <= 0.5:
            raise UdeansrError(f"apodization is {self.apodization:g}; expected a strength from 0 (none) to 0.5")
        if not 0.5 < self.partial_fourier <= 1:
            raise UdeansrError(f"partial Fourier is {self.partial_fourier:g}; expected above 0.5 up to 1, such as 0.75")
        if self.partial_fourier_axis not in tuple(AXES):
            raise UdeansrError(f"partial Fourier's axis is '{self.partial_fourier_axis}'; expected Z, Y or X")
        if not 0 <= self.noise <= 1:
            raise UdeansrError(f"noise is {self.noise:g}; expected a fraction of the foreground's mean from 0 to 1")

        if self.slice_profile is not None:
            check_profile(self.slice_profile)
            if self.partial_fourier_axis == "Z" and self.partial_fourier < 1:
                raise UdeansrError(
                    "partial Fourier along Z goes with an encoded slab axis; expected Y or X with slices"
                )
        if not LEAST_THICKNESS <= self.slice_thickness <= MOST_THICKNESS:
            raise UdeansrError(
                f"slice thickness is {self.slice_thickness:g} of the distance of slices; expected {LEAST_THICKNESS:g} "
                f"to {MOST_THICKNESS:g}"
            )

    def transfer(self, frequency: np.ndarray, axis: int) -> np.ndarray:
        """The factor by which the amplitude of a real object falls along one array axis, ellipsoid and noise left out.

        A line whose mirror image was not measured counts half, as in the real part of the image.

        Args:
            frequency: |f| / Nyquist of the LR, any shape, 0 to 1.
            axis: 0, 1 or 2 for Z, Y, X.
        """
        frequency = np.abs(frequency)
        if axis == 0 and self.slice_profile is not None:
            return profile_transfer(frequency / 2, self.slice_thickness, self.slice_profile)
        factor = 1 - self.apodization + self.apodization * np.cos(0.9 * np.pi * frequency)
        if AXES[axis] == self.partial_fourier_axis:
            factor = np.where(frequency > 2 * self.partial_fourier - 1, factor / 2, factor)
        return factor


TRUNCATION = Degradation()
"""The paper's: fewer samples, nothing else."""

SHIFTED = Degradation(apodization=0.4, partial_fourier=0.75, noise=0.01)
"""Not what a network trained on plain truncation expects: blurred, 6/8 partial Fourier, 1 % noise."""

DEGRADATIONS = {"truncation": TRUNCATION, "shifted": SHIFTED}


def named_degradation(name: str, **changes: Any) -> Degradation:
    """One of ``DEGRADATIONS``, with single values changed.

    Raises:
        UdeansrError: if there is none of that name, or a value is out of its range.
    """
    if name not in DEGRADATIONS:
        raise UdeansrError(f"degradation '{name}' is not known; expected {' or '.join(DEGRADATIONS)}")
    return replace(DEGRADATIONS[name], **changes)


def truncate_kspace(voxels: np.ndarray, scale: Scale) -> np.ndarray:
    """Keep the centre of k-space: what a scanner of lower resolution would have measured.

    The field of view is kept: LR voxel i covers HR voxels [i*s, i*s + s), by a linear phase in k-space. Linear, and
    commutes with flips; the result of a non-negative image may ring below 0.

    Args:
        voxels: (Z, Y, X), any intensity unit. Each side divides by its scale.
        scale: voxels merged along each axis.
    Returns: (Z/sz, Y/sy, X/sx) float32, same unit, same mean.
    Raises:
        ValueError: if a side does not divide.
    Source: paper, section II.A.
    """
    if any(n % s for n, s in zip(voxels.shape, scale.zyx, strict=True)):
        raise ValueError(f"an array of {voxels.shape} does not divide by {scale.zyx}")
    image = np.asarray(voxels, dtype=np.float32)
    for axis, factor in enumerate(scale.zyx):
        if factor > 1:
            image = _truncate_axis(image, factor, axis)
    return np.ascontiguousarray(image)


def _truncate_axis(image: np.ndarray, factor: int, axis: int) -> np.ndarray:
    """Truncate along one axis.

    The inverse of an even size takes the real part of its highest line: the mean of the lines +Nyquist and -Nyquist,
    which is what makes the flipped image give the flipped result.
    """
    size = image.shape[axis]
    kept = size // factor
    centring = np.exp(2j * np.pi * np.arange(kept // 2 + 1) * (factor - 1) / 2 / size) / factor
    shape = [1, 1, 1]
    shape[axis] = -1
    kspace = np.asarray(scipy.fft.rfft(image, axis=axis))[(slice(None),) * axis + (slice(kept // 2 + 1),)]
    # scipy's, as numpy's transforms one line after the other: three times as slow
    return np.asarray(scipy.fft.irfft(kspace * centring.astype(np.complex64).reshape(shape), kept, axis=axis))


def sample(voxels: np.ndarray, scale: Scale, degradation: Degradation) -> np.ndarray:
    """The samples that a scanner takes of HR: k-space truncated, or along the slab axis slices, if it excites those.

    Args:
        voxels: (Z, Y, X), any intensity unit. Each side divides by its scale.
        scale: voxels merged along each axis.
        degradation: says which of the two.
    Returns: (Z/sz, Y/sy, X/sx) float32, same unit, same mean.
    Raises:
        ValueError: if a side does not divide.
    """
    if degradation.slice_profile is None or scale.z == 1:
        return truncate_kspace(voxels, scale)
    if voxels.shape[0] % scale.z:
        raise ValueError(f"an array of {voxels.shape} does not divide by {scale.zyx}")
    slices = acquire_slices(voxels, scale.z, degradation.slice_thickness * scale.z, degradation.slice_profile)
    return truncate_kspace(slices, Scale(1, scale.y, scale.x))


def degrade(voxels: np.ndarray, scale: Scale, degradation: Degradation, rng: np.random.Generator) -> np.ndarray:
    """Make LR from HR: :func:`sample`, then the degradation, then the magnitude.

    Args:
        voxels: (Z, Y, X) HR with the slab axis first, any intensity unit, not negative. Each side divides by its scale.
        scale: voxels merged along each axis.
        degradation: what the scanner did beyond.
        rng: draws the noise.
    Returns: (Z/sz, Y/sy, X/sx) float32, same unit, not negative.
    Raises:
        ValueError: if a side does not divide.
    """
    return acquire(sample(voxels, scale, degradation), degradation, rng)


def acquire(truncated: np.ndarray, degradation: Degradation, rng: np.random.Generator) -> np.ndarray:
    """The second half of :func:`degrade`: what happens to an image that is sampled already.

    Args:
        truncated: (Z, Y, X) from :func:`sample`.
        degradation: what the scanner did beyond.
        rng: draws the noise.
    Returns: (Z, Y, X) float32, same unit, not negative.
    """
    image = np.fft.ifftn(np.fft.fftn(truncated) * _window(truncated.shape, degradation))
    sigma = noise_sigma(truncated, degradation)
    if sigma > 0:
        channels = rng.standard_normal((2, *truncated.shape), dtype=np.float32) * np.float32(sigma)
        image = image + channels[0] + 1j * channels[1]
    return np.abs(image).astype(np.float32)


def noise_sigma(truncated: np.ndarray, degradation: Degradation) -> float:
    """Standard deviation of the noise that :func:`acquire` adds to each complex channel, in the unit of the image.

    Args:
        truncated: (Z, Y, X) from :func:`sample`.
        degradation: says what fraction of the foreground's mean it is.
    Raises:
        ValueError: if there is noise to scale and no voxel is positive.
    """
    if degradation.noise == 0:
        return 0.0
    foreground = truncated[foreground_mask(truncated)]
    if not foreground.size:
        raise ValueError("no voxel is positive")
    return degradation.noise * float(foreground.mean())


def _window(shape: tuple[int, ...], degradation: Degradation) -> np.ndarray:
    """What is left of each sample of the LR k-space, in the order of the FFT, float32."""
    signed = [2 * np.fft.fftfreq(size) for size in shape]
    window = np.ones(shape, dtype=np.float32)
    if degradation.slice_profile is not None:
        signed[0] = np.zeros(shape[0])  # no k-space has been there
    for axis, frequency in enumerate(signed):
        factor = 1 - degradation.apodization + degradation.apodization * np.cos(0.9 * np.pi * frequency)
        if AXES[axis] == degradation.partial_fourier_axis:
            factor = np.where(frequency > 2 * degradation.partial_fourier - 1, 0, factor)
        window *= factor.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    if degradation.elliptical:
        z, y, x = np.meshgrid(*signed, indexing="ij", sparse=True)
        window[z**2 + y**2 + x**2 > 1] = 0
    return window
