"""One LR volume to its SR volume by a method that is ready. Knows grids, intensities and methods; knows no file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale, reorient, reorient_geometry, slab_orientation, sr_geometry
from udeansr.image.normalization import denormalize, intensity_scale, normalize
from udeansr.image.volume import Geometry, Volume
from udeansr.methods.method import Method
from udeansr.methods.slab_window import Progress, super_resolve_volume
from udeansr.planning.plan import Configuration, Plan
from udeansr.prediction.zero_shot import zero_shot
from udeansr.training.settings import RunSettings

SPACING_TOLERANCE = 0.02
"""How far, as a part of it, a spacing may lie from the one a model was made for."""


def fits(geometry: Geometry, plan: Plan, configuration: Configuration) -> bool:
    """Whether a grid, in the plan's orientation, has the LR spacing of a configuration (to 2 %)."""
    spacing_mm = np.asarray(reorient_geometry(geometry, plan.orientation).spacing_mm)
    wanted_mm = np.asarray(configuration.lr_spacing_mm)
    return bool(np.all(np.abs(spacing_mm - wanted_mm) <= SPACING_TOLERANCE * wanted_mm))


def shown_mm(spacing_mm: tuple[float, float, float]) -> str:
    """A spacing (Z, Y, X) for messages, in the order of (Z, Y, X)."""
    return " x ".join(f"{mm:.3g}" for mm in spacing_mm)


@dataclass(frozen=True)
class SuperResolver:
    """The front door for Python: ``sr = SuperResolver(...)(lr)``.

    :func:`udeansr.prediction.models.load_model` makes one of a trained model, and
    :func:`udeansr.prediction.models.interpolator` one that needs none.

    Attributes:
        method: what makes SR of LR; its networks lie on ``device``.
        scale: HR voxels in an LR voxel, along (Z, Y, X) of the orientation it works in.
        plan: what the method was made for; None where it suits any grid.
        configuration: that of the plan; None with it.
        device: where to compute, in torch's words.
        precision: "fp32", "bf16" or "fp16" for the networks.
        stride: LR slices from one slab to the next, 1 (best) to those that a slab answers for (fastest).
        as_float: whether SR of an integer LR stays float32.
        run: how a method that learns in prediction is trained; None for all others.
    """

    method: Method
    scale: Scale
    plan: Plan | None = None
    configuration: Configuration | None = None
    device: str = "cpu"
    precision: str = "fp32"
    stride: int = 1
    as_float: bool = False
    run: RunSettings | None = None

    def __post_init__(self) -> None:
        """Refuse a stride that leaves slices out."""
        answered = self.method.answered_slices
        if self.stride < 1 or (answered is not None and self.stride > answered):
            expected = "1" if answered == 1 else f"1 (best) to {answered} (fastest)"
            raise UdeansrError(
                f"stride {self.stride} does not go with a model that answers for {answered} of the "
                f"{self.method.slab_slices} slices of a slab; expected {expected}"
            )

    def __call__(self, volume: Volume, progress: Progress | None = None, name: str = "volume") -> Volume:
        """Super-resolve a volume.

        Args:
            volume: LR as it is stored: any orientation, unit and numeric type.
            progress: told after each batch of slabs.
            name: of the volume, for the bar of a method that learns on it.
        Returns: the same field of view, orientation, unit and level, ``scale`` times the voxels; the numeric type of
            an integer LR (rounded and clipped to its range), else float32. No voxel below 0 unless the LR has some.
        Raises:
            UdeansrError: if the spacing is not the one the model was made for, the voxels are empty or not finite, or
                a method that learns in prediction cannot.
        """
        lr = reorient(volume, self._orientation(volume.geometry))
        level = _level(lr.voxels) * (self.plan.lr_gain if self.plan else 1.0)
        sr = self._super_resolved(normalize(lr.voxels, level), progress, name)
        if lr.voxels.min() >= 0:
            np.maximum(sr, 0, out=sr)
        kept_type = lr.voxels.dtype if lr.voxels.dtype.kind in "iu" and not self.as_float else None
        restored = Volume(denormalize(sr, level, kept_type), sr_geometry(lr.geometry, self.scale))
        return reorient(restored, volume.geometry.orientation)

    def _super_resolved(self, lr: np.ndarray, progress: Progress | None, name: str) -> np.ndarray:
        """Normalised LR to SR, by the method as it is, or as it becomes on this very volume."""
        where: dict[str, str] = {"device": self.device, "precision": self.precision}
        by = partial(super_resolve_volume, stride=self.stride, progress=progress, **where)
        if not self.method.learns_in_prediction:
            return by(self.method, lr)
        assert self.run is not None, f"{self.method.name} is not told how to learn"
        return zero_shot(self.method, lr, self.run, by, name=name, **where)

    def _orientation(self, geometry: Geometry) -> str:
        """The orientation to work in: the plan's, if the spacing is its own; without a plan, the volume's slab axis."""
        if self.plan is None or self.configuration is None:
            return slab_orientation(geometry)
        if not fits(geometry, self.plan, self.configuration):
            found = shown_mm(reorient_geometry(geometry, self.plan.orientation).spacing_mm)
            raise UdeansrError(
                f"spacing {found} mm (as {self.plan.orientation}), the model {self.plan.dataset} "
                f"{self.configuration.name} was made for {shown_mm(self.configuration.lr_spacing_mm)} mm. Predict with "
                f"a model for this spacing, or plan again: udeansr_plan_and_preprocess -d {self.plan.dataset}"
            )
        return self.plan.orientation


def _level(voxels: np.ndarray) -> float:
    """The intensity scale of an LR, once its voxels are found to have one."""
    if not np.isfinite(voxels).all():
        count = int(np.count_nonzero(~np.isfinite(voxels)))
        raise UdeansrError(f"{count} voxels are not finite; expected numbers only; mend or leave out the file")
    try:
        return intensity_scale(voxels)
    except ValueError as error:
        raise UdeansrError(
            "no voxel is above 0; expected an image of magnitudes; mend or leave out the file"
        ) from error
