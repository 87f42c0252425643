"""Slices as 2-D scans make them: a slice profile of some thickness, then sampling, with the aliasing that this brings.

A slice is excited, not encoded: what it holds is the object weighed by the slice profile. Nothing keeps frequencies
above the Nyquist of the slices out, so that they fold back, as truncation of k-space never lets them.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from udeansr.errors import UdeansrError

SliceProfile = Literal["gaussian", "box"]
SLICE_PROFILES: tuple[str, ...] = get_args(SliceProfile)

_REACH = 1.5
"""Half the length of a Gaussian kernel, in its full widths at half maximum: less than 1 part in 500 is cut off."""


def check_profile(profile: str) -> None:
    """Refuse what is no slice profile.

    Raises:
        UdeansrError: if there is none of that name.
    """
    if profile not in SLICE_PROFILES:
        raise UdeansrError(f"slice profile '{profile}' is not known; expected {' or '.join(SLICE_PROFILES)}")


def slice_weights(voxels: int, factor: int, thickness_voxels: float, profile: str = "gaussian") -> np.ndarray:
    """How much of each HR voxel each slice holds.

    The field of view is kept: the centre of slice i is that of HR voxels [i * factor, i * factor + factor). Beyond the
    ends the last voxel goes on.

    Args:
        voxels: of HR along the slice axis; what does not divide by the factor is left out at the end.
        factor: HR voxels from one slice to the next.
        thickness_voxels: full width at half maximum of the profile, HR voxels.
        profile: "gaussian" or "box".
    Returns: (voxels // factor, voxels) float32; each row sums to 1.
    Raises:
        ValueError: if no slice fits, or the thickness is not positive.
        UdeansrError: if there is no such profile.
    """
    check_profile(profile)
    slices = voxels // factor
    if slices < 1 or not thickness_voxels > 0:
        raise ValueError(f"slices of {factor} voxels, {thickness_voxels} thick, of {voxels} voxels")
    half = thickness_voxels * (_REACH if profile == "gaussian" else 0.5)
    reach = int(np.ceil(half + factor / 2)) + 1
    taps = np.arange(-reach, factor + reach)  # HR voxels, from the first of the slice's own
    distance = taps - (factor - 1) / 2
    if profile == "gaussian":
        kernel = np.exp(-4 * np.log(2) * (distance / thickness_voxels) ** 2)
    else:  # how much of each voxel lies in it
        kernel = np.clip(half + 0.5 - np.abs(distance), 0, min(1, thickness_voxels))
    kernel /= kernel.sum()
    weights = np.zeros((slices, voxels), np.float32)
    for slice_ in range(slices):
        np.add.at(weights[slice_], np.clip(slice_ * factor + taps, 0, voxels - 1), kernel)
    return weights


def acquire_slices(
    voxels: np.ndarray, factor: int, thickness_voxels: float, profile: str = "gaussian", axis: int = 0
) -> np.ndarray:
    """Slices of an HR array, as a 2-D scan takes them along one axis.

    Args:
        voxels: any number of axes, any unit.
        factor: as the next two, see :func:`slice_weights`.
        thickness_voxels: HR voxels.
        profile: "gaussian" or "box".
        axis: along which the slices lie.
    Returns: the array with ``n // factor`` slices along the axis, float32, same unit, same mean of a constant.
    Raises:
        ValueError, UdeansrError: as :func:`slice_weights`.
    """
    weights = slice_weights(voxels.shape[axis], factor, thickness_voxels, profile)
    slices = np.tensordot(weights, voxels.astype(np.float32, copy=False), axes=(1, axis))
    return np.ascontiguousarray(np.moveaxis(slices, 0, axis))


def profile_transfer(frequency: np.ndarray, thickness: float, profile: str = "gaussian") -> np.ndarray:
    """The factor that a slice profile leaves of an amplitude, before sampling folds it.

    Args:
        frequency: cycles a sample, any shape.
        thickness: full width at half maximum, samples.
        profile: "gaussian" or "box".
    """
    check_profile(profile)
    if profile == "box":
        return np.sinc(frequency * thickness)
    return np.exp(-((np.pi * frequency * thickness) ** 2) / (4 * np.log(2)))
