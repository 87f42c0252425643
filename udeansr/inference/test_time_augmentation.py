"""Test-time augmentation: a self-ensemble by mirroring and rotation of slabs, and how many a quality takes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from udeansr.errors import UdeansrError
from udeansr.methods.method import Method


@dataclass(frozen=True)
class FlipRotate:
    """A slab mirrored along some axes, then turned in its plane; no voxel is changed.

    Attributes:
        mirrored: of the last three axes (Z, Y, X) those that are mirrored, 0 to 2.
        rotations: turns by a right angle in the plane, 0 to 3.
    """

    mirrored: tuple[int, ...] = ()
    rotations: int = 0

    def apply(self, slabs: Tensor) -> Tensor:
        """(..., slices, Y, X) -> the same transformed; Y and X change places with an odd number of quarters."""
        return self._turned(self._flipped(slabs), self.rotations)

    def invert(self, slabs: Tensor) -> Tensor:
        """The way back from :meth:`there`, on any grid."""
        return self._flipped(self._turned(slabs, -self.rotations))

    def seen(self, view: Sequence[int]) -> FlipRotate:
        """The same mirroring of a volume whose axes are seen in another order."""
        return replace(self, mirrored=tuple(view.index(axis) for axis in self.mirrored))

    def _flipped(self, slabs: Tensor) -> Tensor:
        return slabs.flip([axis - 3 for axis in self.mirrored]) if self.mirrored else slabs

    @staticmethod
    def _turned(slabs: Tensor, rotations: int) -> Tensor:
        return torch.rot90(slabs, rotations, (-2, -1)) if rotations else slabs


IDENTITY = FlipRotate()


def all_transforms(rotate90: bool) -> tuple[FlipRotate, ...]:
    """Each way to lay a slab onto its own grid, once: the eight mirrorings, and each with a quarter turn.

    Args:
        rotate90: whether quarter turns count; half turns are mirrorings along both axes.
    """
    axes = [chosen for count in range(4) for chosen in itertools.combinations(range(3), count)]
    return tuple(FlipRotate(chosen, rotations) for rotations in ((0, 1) if rotate90 else (0,)) for chosen in axes)


Quality = Literal["fast", "balanced", "best"]
QUALITIES: tuple[str, ...] = get_args(Quality)


@dataclass(frozen=True)
class InferenceSettings:
    """What a quality means for one model.

    Attributes:
        stride: LR slices from one slab to the next.
        transforms: in which each slab is predicted; the predictions are averaged.
    """

    stride: int
    transforms: tuple[FlipRotate, ...]

    def predicts_repeatedly(self, method: Method) -> bool:
        """Whether a voxel has more than one prediction, so that they can differ."""
        return len(self.transforms) > 1 or self.stride < (method.output_slices or 1)


def inference_settings(
    quality: str, method: Method, orientation: str | None, stride: int | None = None
) -> InferenceSettings:
    """What a quality means for a model.

    ``fast``: each slice is predicted once; slabs do not overlap. ``balanced``: slabs overlap as far as they can, each
    predicted as it is and mirrored left to right. ``best``: the same in all eight mirrorings, and with
    quarter turns where patches were turned in training. A method that interpolates gives the same for all of them.

    Consistency with the LR's k-space is in none of them: it was measured to cost PSNR.

    Args:
        quality: one of ``QUALITIES``.
        method: the model's.
        orientation: of (slices, Y, X) as the model sees them; None where it suits any.
        stride: takes the place of the quality's own.
    Raises:
        UdeansrError: if there is no such quality, or the stride does not go with the model, or the model has its own.
    """
    if quality not in QUALITIES:
        raise UdeansrError(f"quality '{quality}' is none; expected {', '.join(QUALITIES)}")
    output_slices = method.output_slices
    if stride is not None and (stride < 1 or (output_slices is not None and stride > output_slices)):
        expected = "1" if output_slices == 1 else f"1 (best) to {output_slices} (fastest)"
        raise UdeansrError(
            f"stride {stride} does not go with a model that predicts {output_slices} of the "
            f"{method.slab_slices} slices of a slab; expected {expected}"
        )
    if method.is_zero_shot and quality != "fast":
        raise UdeansrError(
            f"quality '{quality}' does not go with {method.name}, which learns on each volume; expected fast; moved "
            f"copies are a setting of its own: udeansr_train --method {method.name} --set {method.name}.median=true"
        )
    if not method.players:
        return InferenceSettings(1, (IDENTITY,))
    fastest = output_slices or 1
    return InferenceSettings(stride or (fastest if quality == "fast" else 1), _transforms(quality, method, orientation))


def _transforms(quality: str, method: Method, orientation: str | None) -> tuple[FlipRotate, ...]:
    if quality == "fast":
        return (IDENTITY,)
    if quality == "best":
        return all_transforms(method.configuration.task.rotate90)
    across = next((axis for axis, letter in enumerate(orientation or "SPL") if letter in "LR"), 2)
    return (IDENTITY, FlipRotate((across,)))
