"""How far the content of an SR volume is shifted against its LR."""

from __future__ import annotations

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.spectrum import taper
from udeansr.image.grid import Scale


def shift_voxels(sr: np.ndarray, lr: np.ndarray, scale: Scale) -> np.ndarray:
    """How far the content of an SR volume lies from where its LR has it.

    The maximum of their cross-correlation, found to a fraction of a voxel from the phase of the cross-spectrum.

    Args:
        sr: (Z*sz, Y*sy, X*sx), any unit.
        lr: (Z, Y, X), any unit.
        scale: between the two.
    Returns: (3,) displacement of SR against LR along (Z, Y, X), HR voxels; positive towards higher indices.
    Raises:
        ValueError: if the shapes do not fit the scale.
    """
    if sr.shape != tuple(n * s for n, s in zip(lr.shape, scale.zyx, strict=True)):
        raise ValueError(f"SR of {sr.shape} is not {scale.zyx} times an LR of {lr.shape}")
    # Half of k-space is enough for real images: the lines that have a mirror image count twice.
    one, other = (np.fft.rfftn(taper(voxels)[0]) for voxels in (truncate_kspace(sr, scale), lr))
    cross = one * np.conj(other)
    # Between correlation (power 0: the window, which stays where it is, decides) and pure phase (power 1: noise does).
    cross /= np.abs(cross) ** 0.75 + np.finfo(np.float32).tiny
    peak = np.unravel_index(int(np.argmax(np.fft.irfftn(cross, lr.shape, axes=(0, 1, 2)))), lr.shape)
    shift = np.array([p if p <= n // 2 else p - n for p, n in zip(peak, lr.shape, strict=True)], dtype=float)
    for axis, n in enumerate(lr.shape):
        if n % 2 == 0:  # The line at Nyquist has no sign and so no phase.
            cross[(slice(None),) * axis + (n // 2,)] = 0
    cross[..., 1:] *= 2
    omega = [2 * np.pi * np.fft.fftfreq(n)[:kept] for n, kept in zip(lr.shape, cross.shape, strict=True)]
    for _ in range(20):
        step = _step(cross, omega, shift)
        shift += np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-5:
            break
    return shift * np.asarray(scale.zyx)


def _step(cross: np.ndarray, omega: list[np.ndarray], shift: np.ndarray) -> np.ndarray:
    """Newton's step from a shift, LR voxels, to the maximum of a correlation.

    Args:
        cross: (Z, Y, X) cross-spectrum.
        omega: its frequencies along each axis, radians a voxel.
        shift: (3,).
    Returns: (3,).
    """
    shifted = cross
    for axis in range(3):
        phase = np.exp(1j * omega[axis] * shift[axis]).astype(np.complex64)
        shifted = shifted * phase.reshape([-1 if i == axis else 1 for i in range(3)])
    z, y, x = omega

    def moment(values: np.ndarray, power: np.ndarray) -> float:
        """The sum over k-space of values times a power of the frequency along each axis."""
        return float(z ** power[0] @ (values @ x ** power[2]) @ y ** power[1])

    axes = np.eye(3, dtype=int)
    gradient = np.array([moment(np.imag(shifted), one) for one in axes])
    curvature = np.array([[moment(np.real(shifted), one + other) for other in axes] for one in axes])
    return np.linalg.lstsq(curvature, -gradient, rcond=None)[0]
