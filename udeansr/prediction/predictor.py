"""One LR volume to its SR volume by a method that is ready."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from udeansr.degradation.kspace import Degradation
from udeansr.device import half_precision
from udeansr.errors import UdeansrError
from udeansr.image.grid import (
    SPACING_TOLERANCE,
    WantedSpacing,
    equal_spacing,
    format_spacing,
    oriented_view,
    reorient_geometry,
    respaced_geometry,
    slab_orientation,
    sr_geometry,
    to_band,
)
from udeansr.image.normalization import denormalize, intensity_scale, normalize
from udeansr.image.volume import Geometry, Triple, Volume
from udeansr.inference.band import Band
from udeansr.inference.fused import fused
from udeansr.inference.sliding_window import Progress, Slices
from udeansr.inference.test_time_augmentation import InferenceSettings, inference_settings
from udeansr.inference.whole_volume import super_resolve_volume, super_resolved_slices
from udeansr.methods.method import Method
from udeansr.models.calibration import smoothed_std
from udeansr.models.model import Model
from udeansr.prediction.canvas import Canvas
from udeansr.prediction.trust import Trust, TrustMeter, resolved_mm
from udeansr.prediction.zero_shot import zero_shot

_logger = logging.getLogger(__name__)

Allocate = Callable[[tuple[int, int, int], np.dtype], np.ndarray]
"""Gives room for a volume of a shape and type, whatever it holds."""


@dataclass(frozen=True)
class Prediction:
    """What is made of an LR volume.

    Attributes:
        sr: the super-resolved volume.
        uncertainty: on its grid and in its unit, float32: one standard deviation of the error to expect where the
            model is calibrated, else of the network's predictions; None where nobody asked.
        assess: finds out how far to trust it.
    """

    sr: Volume
    uncertainty: Volume | None
    assess: Callable[[], Trust]

    @cached_property
    def trust(self) -> Trust:
        """What the LR says of its SR; found out when it is first asked for."""
        return self.assess()


@dataclass(frozen=True)
class Predictor:
    """A model at work on volumes: ``sr = Predictor(load_model(path))(lr)``. Threads may share one.

    Attributes:
        model: as :func:`udeansr.models.model.load_model` or :func:`~udeansr.models.model.interpolator` gives it.
        precision: "fp32", "bf16" or "fp16" for the networks.
        quality: "fast", "balanced" or "best"; see :func:`udeansr.inference.test_time_augmentation.work_of`.
        stride: LR slices from one slab to the next, in the place of the quality's own.
        as_float: whether SR of an integer LR stays float32.
        uncertainty: whether :meth:`predict` says how far each voxel is to be trusted.
        spacing_mm: of SR along (Z, Y, X) of the orientation that the model works in; "isotropic": the finest of its
            grid along all axes. None: the grid that the model makes; of one that learned from thick slices themselves,
            with slices as far apart as the voxels of their plane.
    """

    model: Model
    precision: str = "fp32"
    quality: str = "fast"
    stride: int | None = None
    as_float: bool = False
    uncertainty: bool = False
    spacing_mm: WantedSpacing = None

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        method, inference = self.model.method, self.inference
        if self.uncertainty and not inference.predicts_repeatedly(method):
            remedy = "leave out --uncertainty"
            if method.output_slices is not None and not method.is_zero_shot:
                remedy = "expected at least two, which --quality balanced and best give"
            raise UdeansrError(
                f"--uncertainty is how far the predictions of one voxel differ, and quality '{self.quality}' of "
                f"{method.name} gives one prediction; {remedy}"
            )

    @property
    def inference(self) -> InferenceSettings:
        """What the quality means for the method.

        Raises:
            UdeansrError: if quality or stride do not go with it.
        """
        plan = self.model.plan
        return inference_settings(self.quality, self.model.method, plan.orientation if plan else None, self.stride)

    @property
    def is_calibrated(self) -> bool:
        """Whether the uncertainty of this quality is the error to expect, not only the standard deviation."""
        calibration = self.model.calibration
        return calibration is not None and calibration.quality == self.quality

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
        """Super-resolve a volume, and say how far to trust it; each voxel if ``uncertainty`` asks for it.

        What is finished goes where it will stay, slices at a time: beside the result no second copy of it is held.

        Args:
            volume: LR as it is stored: any orientation, unit and numeric type.
            progress: called after each batch of slabs.
            name: of the volume, for the bar of a method that learns on it.
            allocate: gives room for what comes out.
        Returns: the same field of view, orientation, unit and level, ``scale`` times the voxels; the numeric type of
            an integer LR (rounded and clipped to its range), else float32. No voxel below 0 unless the LR has some.
        Raises:
            UdeansrError: if the spacing is not the one the model was made for, the voxels are empty or not finite, or
                a method that learns in prediction cannot.
        """
        stored, working = volume.geometry.orientation, self._orientation(volume.geometry, name)
        level = _level(volume.voxels) * (self.model.plan.lr_gain if self.model.plan else 1.0)
        lr = np.ascontiguousarray(oriented_view(normalize(volume.voxels, level), stored, working))
        if min(lr.strides) < 0:  # along an axis of one voxel, which torch refuses
            lr = lr.copy()
        keeps_type = volume.voxels.dtype.kind in "iu" and not self.as_float
        voxel_type = volume.voxels.dtype if keeps_type else np.dtype(np.float32)
        magnitudes = volume.voxels.min() >= 0
        grid = reorient_geometry(volume.geometry, working)
        made = sr_geometry(grid, self.model.scale)
        final = self._final_grid(grid, made)
        geometry = reorient_geometry(final, stored)
        sr = Volume(allocate(geometry.shape, voxel_type), geometry)
        doubt = Volume(allocate(geometry.shape, np.dtype(np.float32)), geometry) if self.uncertainty else None
        sr_canvas = Canvas(sr, working, made, lambda block: denormalize(block, level, voxel_type))
        doubt_canvas = None if doubt is None else Canvas(doubt, working, made, lambda std: denormalize(std, level))
        meter, band = TrustMeter(self.model.scale, len(lr), self._slice_thickness), self._band(lr, grid)
        seen, seen_mm = (lr, grid.spacing_mm) if band is None else (band.lr, band.spacing_mm)
        for first, block, std in self._slices(seen, progress, name):
            meter(first, np.maximum(block, 0) if magnitudes else block)
            if band is not None:
                block, std = band.whole(first, block), None if std is None else band.finer(std)
            if magnitudes:
                np.maximum(block, 0, out=block)
            sr_canvas.put(first, block)
            if doubt_canvas is not None and std is not None:
                std = smoothed_std(std)
                expected = self.model.calibration(std) if self.model.calibration and self.is_calibrated else std
                doubt_canvas.put(first, expected)
        sr_canvas.finish(magnitudes)
        if doubt_canvas is not None:
            doubt_canvas.finish(True)
        return Prediction(sr, doubt, partial(self._assess, meter, seen, seen_mm, lr, grid))

    def _final_grid(self, lr: Geometry, made: Geometry) -> Geometry:
        """The grid of SR: that which the model makes, or of the spacing that is wanted where it differs by over 2 %.

        Raises:
            UdeansrError: if it is as coarse as the LR.
        """
        wanted, thick = self.spacing_mm, self.model.method.slice_thickness is not None
        finest = min(made.spacing_mm[1:] if thick else made.spacing_mm)
        if wanted is None:
            wanted = (finest, *made.spacing_mm[1:]) if thick else made.spacing_mm
        elif isinstance(wanted, str):
            wanted = (finest, finest, finest)
        if all(new >= mm for new, mm in zip(wanted, lr.spacing_mm, strict=True)):
            raise UdeansrError(
                f"--spacing asks for {format_spacing(wanted)} and its own spacing is {format_spacing(lr.spacing_mm)} "
                "(Z, Y, X, slices first); expected a finer one along an axis at least"
            )
        return made if equal_spacing(made.spacing_mm, wanted) else respaced_geometry(made, wanted)

    @property
    def _slice_thickness(self) -> float | None:
        """Of slices as 2-D scans make them, over their distance, as the method or its plan was told."""
        known = self.model.configuration.task.source_degradation if self.model.configuration else None
        if isinstance(known, Degradation) and known.slice_profile is not None:
            return known.slice_thickness
        return self.model.method.slice_thickness

    def _band(self, lr: np.ndarray, grid: Geometry) -> Band | None:
        """What of the LR the model works in; None where that is all of it."""
        if self.model.configuration is None:
            return None
        task = self.model.configuration.task
        in_band = to_band(grid.spacing_mm, task.lr_spacing_mm, task.band_axes)
        return None if equal_spacing(grid.spacing_mm, in_band) else Band(lr, grid.spacing_mm, in_band, self.model.scale)

    def _assess(self, meter: TrustMeter, seen: np.ndarray, seen_mm: Triple, lr: np.ndarray, grid: Geometry) -> Trust:
        """What the LR says, as the model has seen it, and in how far its spacing is another than the model's."""
        plan, configuration = self.model.plan, self.model.configuration
        if plan is None or configuration is None:
            return meter.trust(lr, grid.spacing_mm)
        trust = meter.trust(
            seen,
            seen_mm,
            self.model.domain,
            plan.degradation if configuration.task.source_degradation == "measured" else None,
            configuration.task.deconvolves,
        )
        trust = replace(trust, resolved_mm=resolved_mm(lr, grid.spacing_mm))
        if plan.fits(grid, configuration):
            return trust
        found, wanted = format_spacing(grid.spacing_mm), format_spacing(configuration.task.lr_spacing_mm)
        off = f"spacing {found} (made for {wanted})"
        return replace(trust, outside=(off, *(trust.outside or ())))

    @cached_property
    def _fused(self) -> Method:
        """The method with networks made for prediction at this precision; made once."""
        method = self.model.method
        return fused(method, half_precision(self.precision)) if method.players else method

    def _slices(self, lr: np.ndarray, progress: Progress | None, name: str) -> Iterator[Slices]:
        """Normalised LR to SR, by the method as it is, or as it becomes on this very volume."""
        where: dict[str, str] = {"device": self.model.device, "precision": self.precision}
        if not self.model.method.is_zero_shot:
            return super_resolved_slices(
                self._fused,
                lr,
                stride=self.inference.stride,
                transforms=self.inference.transforms,
                std=self.uncertainty,
                progress=progress,
                **where,
            )
        assert self.model.run is not None, f"{self.model.method.name} is not told how to learn"
        by = partial(super_resolve_volume, stride=self.inference.stride, progress=progress, **where)
        return iter([(0, zero_shot(self.model.method, lr, self.model.run, by, name=name, **where), None)])

    def _orientation(self, geometry: Geometry, name: str) -> str:
        """The orientation to work in: the plan's, if the spacing is its own; without a plan, the volume's slab axis."""
        if self.model.plan is None or self.model.configuration is None:
            return slab_orientation(geometry)
        off = self.model.plan.spacing_deviation(geometry, self.model.configuration)
        found_mm = reorient_geometry(geometry, self.model.plan.orientation).spacing_mm
        found = f"spacing {format_spacing(found_mm)} (as {self.model.plan.orientation})"
        wanted = format_spacing(self.model.configuration.task.lr_spacing_mm)
        if off > self.model.spacing_tolerance:
            model = self.model.name or f"{self.model.plan.dataset} {self.model.configuration.name}"
            remedy = f"plan again: udeansr_plan_and_preprocess -d {self.model.plan.dataset}"
            raise UdeansrError(
                f"{found}, the model {model} was made for {wanted}. Predict with a model for this spacing, or "
                f"{f'use it all the same: -m {self.model.name}' if self.model.name else remedy}"
            )
        if off > SPACING_TOLERANCE:
            _logger.warning(
                "%s: %s is %.0f %% off the %s that %s was made for: its SR is less certain",
                *(name, found, 100 * off, wanted, self.model.name or "the model"),
            )
        return self.model.plan.orientation


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
