"""One LR volume to its SR volume by a method that is ready. Knows grids, intensities and methods; knows no file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale, oriented_view, reorient_geometry, slab_orientation, sr_geometry
from udeansr.image.normalization import denormalize, intensity_scale, normalize
from udeansr.image.volume import Geometry, Volume
from udeansr.methods.method import Method
from udeansr.methods.slab_walk import Progress, Slices
from udeansr.methods.slab_window import super_resolve_volume, super_resolved_slices
from udeansr.networks.lean import lean
from udeansr.planning.domain import Domain
from udeansr.planning.plan import Configuration, Plan
from udeansr.prediction.calibration import Calibration, steadied
from udeansr.prediction.quality import Work, work_of
from udeansr.prediction.trust import Trust, TrustMeter
from udeansr.prediction.zero_shot import zero_shot
from udeansr.training.precision import FORMATS
from udeansr.training.settings import RunSettings

_logger = logging.getLogger(__name__)

Allocate = Callable[[tuple[int, int, int], np.dtype], np.ndarray]
"""Gives room for a volume of a shape and type, whatever it holds."""

SPACING_TOLERANCE = 0.02
"""How far, as a part of it, a spacing may lie from the one a model was made for."""


def spacing_off(geometry: Geometry, plan: Plan, configuration: Configuration) -> float:
    """How far a grid, in the plan's orientation, is from the LR spacing: the worst axis, as a part of it."""
    spacing_mm = np.asarray(reorient_geometry(geometry, plan.orientation).spacing_mm)
    return float(np.max(np.abs(spacing_mm / np.asarray(configuration.lr_spacing_mm) - 1)))


def fits(geometry: Geometry, plan: Plan, configuration: Configuration, tolerance: float = SPACING_TOLERANCE) -> bool:
    """Whether a grid, in the plan's orientation, has the LR spacing of a configuration (to 2 %)."""
    return spacing_off(geometry, plan, configuration) <= tolerance


def shown_mm(spacing_mm: tuple[float, float, float]) -> str:
    """A spacing (Z, Y, X) for messages, in the order of (Z, Y, X)."""
    return " x ".join(f"{mm:.3g}" for mm in spacing_mm)


@dataclass(frozen=True)
class Prediction:
    """What is made of an LR volume.

    Attributes:
        sr: the super-resolved volume.
        uncertainty: on its grid and in its unit, float32: one standard deviation of the error to expect where the
            model is calibrated, else of the network's answers; None where nobody asked.
        judge: finds out how far to trust it.
    """

    sr: Volume
    uncertainty: Volume | None
    judge: Callable[[], Trust]

    @cached_property
    def trust(self) -> Trust:
        """What the LR says of its SR; found out when it is first asked for."""
        return self.judge()


@dataclass(frozen=True)
class VolumeResolver:
    """A model at work on volumes: ``sr = VolumeResolver(...)(lr)``. Threads may share one.

    :func:`udeansr.prediction.models.load_model` makes one of a trained model, and
    :func:`udeansr.prediction.models.interpolator` one that needs none.

    Attributes:
        method: what makes SR of LR, not in training; its networks lie on ``device``.
        scale: HR voxels in an LR voxel, along (Z, Y, X) of the orientation it works in.
        plan: what the method was made for; None where it suits any grid.
        configuration: that of the plan; None with it.
        device: where to compute, in torch's words.
        precision: "fp32", "bf16" or "fp16" for the networks.
        quality: "fast", "balanced" or "best"; see :func:`udeansr.prediction.quality.work_of`.
        stride: LR slices from one slab to the next, in the place of the quality's own.
        as_float: whether SR of an integer LR stays float32.
        uncertainty: whether :meth:`predict` says how far each voxel is to be trusted.
        run: how a method that learns in prediction is trained; None for all others.
        name: of the model, for people; "" where it has none.
        calibration: from the spread of the answers to the error to expect; None where it was not measured.
        file: where the model lies; None where it needs none.
        spacing_tolerance: how far, as a part of it, a spacing may lie from the one the model was made for.
    """

    method: Method
    scale: Scale
    plan: Plan | None = None
    configuration: Configuration | None = None
    device: str = "cpu"
    precision: str = "fp32"
    quality: str = "fast"
    stride: int | None = None
    as_float: bool = False
    uncertainty: bool = False
    run: RunSettings | None = None
    name: str = ""
    calibration: Calibration | None = None
    file: Path | None = None
    spacing_tolerance: float = SPACING_TOLERANCE

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        work = self.work
        if self.uncertainty and not work.answers_twice(self.method):
            remedy = "leave out --uncertainty"
            if self.method.answered_slices is not None and not self.method.learns_in_prediction:
                remedy = "expected at least two, which --quality balanced and best give"
            raise UdeansrError(
                f"--uncertainty is how far answers for one voxel differ, and quality '{self.quality}' of "
                f"{self.method.name} gives one answer; {remedy}"
            )

    @property
    def work(self) -> Work:
        """What the quality means for the method.

        Raises:
            UdeansrError: if quality or stride do not go with it.
        """
        return work_of(self.quality, self.method, self.plan.orientation if self.plan else None, self.stride)

    @property
    def domain(self) -> Domain | None:
        """What the model was made for; None where it was not measured."""
        return self.method.domain

    @property
    def is_calibrated(self) -> bool:
        """Whether the uncertainty of this quality is the error to expect, and not the spread of the answers alone."""
        return self.calibration is not None and self.calibration.quality == self.quality

    @property
    def label(self) -> str:
        """The model in a few words: its name, or method, scale and the dataset it learned from."""
        own = f"{self.method.name} {self.scale}" + (f" of {self.plan.dataset}" if self.plan else "")
        return self.name or own

    def __call__(self, volume: Volume, progress: Progress | None = None, name: str = "volume") -> Volume:
        """Super-resolve a volume; the arguments and errors are those of :meth:`predict`, which this is the SR of."""
        return self.predict(volume, progress=progress, name=name).sr

    def predict(
        self,
        volume: Volume,
        *,
        progress: Progress | None = None,
        name: str = "volume",
        allocate: Allocate = np.empty,
    ) -> Prediction:
        """Super-resolve a volume, and tell how far to trust it; each voxel if ``uncertainty`` asks for it.

        What is finished goes where it will stay, slices at a time: beside the result no second copy of it is held.

        Args:
            volume: LR as it is stored: any orientation, unit and numeric type.
            progress: told after each batch of slabs.
            name: of the volume, for the bar of a method that learns on it.
            allocate: gives room for what comes out.
        Returns: the same field of view, orientation, unit and level, ``scale`` times the voxels; the numeric type of
            an integer LR (rounded and clipped to its range), else float32. No voxel below 0 unless the LR has some.
        Raises:
            UdeansrError: if the spacing is not the one the model was made for, the voxels are empty or not finite, or
                a method that learns in prediction cannot.
        """
        stored, working = volume.geometry.orientation, self._orientation(volume.geometry, name)
        level = _level(volume.voxels) * (self.plan.lr_gain if self.plan else 1.0)
        lr = np.ascontiguousarray(oriented_view(normalize(volume.voxels, level), stored, working))
        keeps_type = volume.voxels.dtype.kind in "iu" and not self.as_float
        voxel_type = volume.voxels.dtype if keeps_type else np.dtype(np.float32)
        magnitudes = volume.voxels.min() >= 0
        grid = reorient_geometry(volume.geometry, working)
        geometry = reorient_geometry(sr_geometry(grid, self.scale), stored)
        sr = Volume(allocate(geometry.shape, voxel_type), geometry)
        doubt = Volume(allocate(geometry.shape, np.dtype(np.float32)), geometry) if self.uncertainty else None
        sr_view = oriented_view(sr.voxels, stored, working)
        doubt_view = None if doubt is None else oriented_view(doubt.voxels, stored, working)
        meter = TrustMeter(self.scale, len(lr))
        for first, block, spread in self._slices(lr, progress, name):
            if magnitudes:
                np.maximum(block, 0, out=block)
            meter(first, block)
            sr_view[first : first + len(block)] = denormalize(block, level, voxel_type)
            if doubt_view is not None and spread is not None:
                spread = steadied(spread)
                expected = self.calibration(spread) if self.calibration and self.is_calibrated else spread
                doubt_view[first : first + len(block)] = denormalize(expected, level)
        return Prediction(sr, doubt, partial(self._judged, meter, lr, grid))

    def _judged(self, meter: TrustMeter, lr: np.ndarray, grid: Geometry) -> Trust:
        """What the LR, on this grid, says, and in how far its spacing is another than the model's."""
        plan, configuration = self.plan, self.configuration
        if plan is None or configuration is None:
            return meter.trust(lr, grid.spacing_mm)
        trust = meter.trust(
            lr,
            grid.spacing_mm,
            self.domain,
            plan.degradation if configuration.source_degradation == "measured" else None,
            configuration.restores,
        )
        if fits(grid, plan, configuration):
            return trust
        off = f"spacing {shown_mm(grid.spacing_mm)} mm (made for {shown_mm(configuration.lr_spacing_mm)} mm)"
        return replace(trust, outside=(off, *(trust.outside or ())))

    @cached_property
    def _lean(self) -> Method:
        """The method with networks made for prediction at this precision; made once."""
        return lean(self.method, FORMATS.get(self.precision)) if self.method.players else self.method

    def _slices(self, lr: np.ndarray, progress: Progress | None, name: str) -> Iterator[Slices]:
        """Normalised LR to SR, by the method as it is, or as it becomes on this very volume."""
        where: dict[str, str] = {"device": self.device, "precision": self.precision}
        if not self.method.learns_in_prediction:
            return super_resolved_slices(
                self._lean,
                lr,
                stride=self.work.stride,
                moves=self.work.moves,
                spread=self.uncertainty,
                progress=progress,
                **where,
            )
        assert self.run is not None, f"{self.method.name} is not told how to learn"
        by = partial(super_resolve_volume, stride=self.work.stride, progress=progress, **where)
        return iter([(0, zero_shot(self.method, lr, self.run, by, name=name, **where), None)])

    def _orientation(self, geometry: Geometry, name: str) -> str:
        """The orientation to work in: the plan's, if the spacing is its own; without a plan, the volume's slab axis."""
        if self.plan is None or self.configuration is None:
            return slab_orientation(geometry)
        off = spacing_off(geometry, self.plan, self.configuration)
        found_mm = reorient_geometry(geometry, self.plan.orientation).spacing_mm
        found = f"spacing {shown_mm(found_mm)} mm (as {self.plan.orientation})"
        wanted = f"{shown_mm(self.configuration.lr_spacing_mm)} mm"
        if off > self.spacing_tolerance:
            model = self.name or f"{self.plan.dataset} {self.configuration.name}"
            remedy = f"plan again: udeansr_plan_and_preprocess -d {self.plan.dataset}"
            raise UdeansrError(
                f"{found}, the model {model} was made for {wanted}. Predict with a model for this spacing, or "
                f"{f'use it all the same: -m {self.name}' if self.name else remedy}"
            )
        if off > SPACING_TOLERANCE:
            _logger.warning(
                "%s: %s is %.0f %% off the %s that %s was made for: its SR is less certain",
                *(name, found, 100 * off, wanted, self.name or "the model"),
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
