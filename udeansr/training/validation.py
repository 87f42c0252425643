"""Who is held out for validation, and the scores of a method on their volumes, with pairs or without."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.measured_degradation import add_rician_noise
from udeansr.degradation.shift import shift_voxels
from udeansr.degradation.spectrum import log_spectrum, spectrum_distance
from udeansr.evaluation.metrics import psnr, ssim_2d
from udeansr.image.grid import Scale
from udeansr.image.resampling import tricubic
from udeansr.inference.whole_volume import degrade_volume, super_resolve_volume
from udeansr.methods.method import Method
from udeansr.paths import SOURCE_HR, TARGET_LR, VALIDATION_HR, VALIDATION_LR
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase, PreprocessedDataset

HELD_OUT_SHARE = 0.1
FEWEST_TO_HOLD_OUT = 3
"""Subjects below which a group is too small to give one away."""

logger = logging.getLogger(__name__)

Cases = tuple[PreprocessedCase, ...]


@dataclass(frozen=True)
class Split:
    """The cases of a training.

    Attributes:
        train_hr, train_lr: source HR and target LR that are learnt from.
        validation_hr, validation_lr: volumes that scores are taken on.
        paired: whether those two are pairs of the same subjects, in one order; else they are unrelated.
    """

    train_hr: Cases
    train_lr: Cases
    validation_hr: Cases
    validation_lr: Cases
    paired: bool


def split_cases(dataset: PreprocessedDataset, seed: int, limit: int) -> Split:
    """Set validation cases aside: the pairs where the dataset has some, else a tenth of the subjects of each cohort.

    Of a cohort of fewer than three nobody is held out: it is validated on subjects it was trained on, with a warning.

    Args:
        dataset: the preprocessed dataset.
        seed: decides who is held out.
        limit: volumes of each kind to validate on; of pairs the first by name.
    """
    source, target = dataset.cases(SOURCE_HR), dataset.cases(TARGET_LR)
    lr_cases, hr_cases = dataset.cases(VALIDATION_LR), {case.name: case for case in dataset.cases(VALIDATION_HR)}
    if lr_cases:
        pairs = [(hr_cases[case.name], case) for case in lr_cases][:limit]
        return Split(source, target, tuple(hr for hr, _ in pairs), tuple(lr for _, lr in pairs), paired=True)
    train_hr, held_hr = _hold_out(source, seed, SOURCE_HR)
    train_lr, held_lr = _hold_out(target, seed, TARGET_LR)
    return Split(train_hr, train_lr, held_hr[:limit], held_lr[:limit], paired=False)


def _hold_out(cases: Cases, seed: int, group: str) -> tuple[Cases, Cases]:
    """Part a group into those who train and those who validate."""
    subjects = list(dict.fromkeys(case.subject for case in cases))
    if len(subjects) < FEWEST_TO_HOLD_OUT:
        logger.warning(
            "%s has %d subjects: too few to hold one out, so validation scores are of subjects that were trained on",
            group,
            len(subjects),
        )
        return cases, cases
    count = max(1, round(HELD_OUT_SHARE * len(subjects)))
    held = set(random.Random(f"{seed} {group}").sample(subjects, count))
    train = tuple(case for case in cases if case.subject not in held)
    return train, tuple(case for case in cases if case.subject in held)


SPECTRUM_WEIGHT = 0.1
"""SSIM that one decade of distance between spectra is worth in the score without pairs."""

LARGEST_SHIFT_VOXELS = 0.1
"""A super-resolved volume that lies further from its LR than this, in HR voxels, is worth a warning."""


class Validator:
    """Scores a method on the validation volumes of a split.

    Answers do not overlap here, where prediction's may: faster, and every epoch is treated alike.

    Attributes:
        rule: in words, what ``score`` is; the checkpoint of the highest score is the best.
        sample: of the last call, (Y, X): the middle slice of the first LR's SR; None before.
    """

    def __init__(self, split: Split, scale: Scale, device: torch.device, precision: str) -> None:
        """Keep the volumes; nothing is computed yet."""
        self._split, self._scale, self._device, self._precision = split, scale, device, precision
        self.sample: np.ndarray | None = None
        hr, lr = len(split.validation_hr), len(split.validation_lr)
        if split.paired:
            self.rule = f"best is chosen by SSIM (2-D, as in the paper); validation pairs: {lr}"
        else:
            formula = f"cycle SSIM - {SPECTRUM_WEIGHT} x spectrum distance (decades)"
            self.rule = f"no pairs: best is chosen by {formula}; validated on: {hr} HR, {lr} LR"

    def __call__(self, method: Method, between: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Score a method with the weights that it has.

        Args:
            method: on the device; its mode, training or not, is the same afterwards.
            between: called between slabs; may raise to stop.
        Returns:
            ``score`` (the higher the better); ``shift_voxels``, the largest displacement of SR against its LR
            along (Z, Y, X) in HR voxels. With pairs ``psnr`` (dB) and ``ssim``; without, ``cycle_psnr``,
            ``cycle_ssim`` (HR, degraded, super-resolved, against itself) and ``spectrum_distance`` (decades).
        """
        self.sample = None
        return self._with_pairs(method, between) if self._split.paired else self._without_pairs(method, between)

    def tricubic(self) -> dict[str, float]:
        """PSNR and SSIM of tricubic interpolation on the pairs: what learning has to beat. Empty without pairs."""
        if not self._split.paired:
            return {}
        pairs = zip(self._split.validation_lr, self._split.validation_hr, strict=True)
        return _mean([_likeness(tricubic(np.array(lr.voxels), self._scale), hr.voxels) for lr, hr in pairs])

    def references(self) -> dict[str, np.ndarray]:
        """What a sample is to be looked at beside: that slice of the LR, tricubic, and with pairs of HR."""
        found = {"tricubic": _middle(tricubic(np.array(self._split.validation_lr[0].voxels), self._scale))}
        return found | ({"HR": _middle(self._split.validation_hr[0].voxels)} if self._split.paired else {})

    def _with_pairs(self, method: Method, between: Callable[[], None]) -> dict[str, Any]:
        likeness, shifts = [], []
        for lr, hr in zip(self._split.validation_lr, self._split.validation_hr, strict=True):
            sr = self._super_resolve(method, np.array(lr.voxels), between)
            self.sample = _middle(sr) if self.sample is None else self.sample
            likeness.append(_likeness(sr, hr.voxels))
            shifts.append(_shift(sr, lr.voxels, self._scale))
        scores = _mean(likeness)
        return {"score": scores["ssim"], **scores, "shift_voxels": _largest(shifts)}

    def _without_pairs(self, method: Method, between: Callable[[], None]) -> dict[str, Any]:
        likeness, degraded_spectra = [], []
        for case in self._split.validation_hr:
            hr = _whole_cells(case.voxels, self._scale)
            lr = degrade_volume(method, hr, device=self._device, precision=self._precision)
            if lr is None:  # the method learns no degradation
                lr = self._planned_lr(case, hr)
            likeness.append(_likeness(self._super_resolve(method, lr, between), hr))
            degraded_spectra.append(log_spectrum(lr))
        shifts = []
        for case in self._split.validation_lr:
            sr = self._super_resolve(method, np.array(case.voxels), between)
            self.sample = _middle(sr) if self.sample is None else self.sample
            shifts.append(_shift(sr, case.voxels, self._scale))
        real_spectra = [log_spectrum(case.voxels) for case in self._split.validation_lr]
        cycle = {f"cycle_{name}": value for name, value in _mean(likeness).items()}
        distance = spectrum_distance(degraded_spectra, real_spectra)
        score = cycle["cycle_ssim"] - SPECTRUM_WEIGHT * distance
        return {"score": score, **cycle, "spectrum_distance": distance, "shift_voxels": _largest(shifts)}

    def _planned_lr(self, case: PreprocessedCase, hr: np.ndarray) -> np.ndarray:
        """LR of an HR case as the plan has it degraded, noise included; where that is a variety, truncated."""
        degraded = np.array(case.degraded)
        coarse = tuple(side // factor for side, factor in zip(hr.shape, self._scale.zyx, strict=True))
        if degraded.shape != coarse:
            return truncate_kspace(hr, self._scale)
        return add_rician_noise(degraded, case.noise, np.random.default_rng(0))

    def _super_resolve(self, method: Method, lr: np.ndarray, between: Callable[[], None]) -> np.ndarray:
        return super_resolve_volume(
            method,
            lr,
            stride=method.output_slices or 1,
            device=self._device,
            precision=self._precision,
            progress=lambda *_: between(),
        )


def warn_of_shift(scores: dict[str, Any]) -> None:
    """Warn where SR does not lie on its LR."""
    shift = float(np.max(np.abs(scores["shift_voxels"])))  # not a number, if one is none
    if not shift < LARGEST_SHIFT_VOXELS:
        logger.warning(
            "SR lies up to %.2f HR voxels off its LR, expected below %.1f: structures are moved; train longer, "
            "and do not trust positions before this is small",
            shift,
            LARGEST_SHIFT_VOXELS,
        )


def _likeness(sr: np.ndarray, hr: np.ndarray) -> dict[str, float]:
    if not np.isfinite(sr).all():  # of weights that are spoilt, which nobody saves
        return {"psnr": math.nan, "ssim": math.nan}
    sr = np.maximum(sr, 0)  # as images are written
    return {"psnr": psnr(sr, np.asarray(hr)), "ssim": ssim_2d(sr, np.asarray(hr))}


def _shift(sr: np.ndarray, lr: np.ndarray, scale: Scale) -> np.ndarray:
    return shift_voxels(sr, lr, scale) if np.isfinite(sr).all() else np.full(3, math.nan)


def _middle(volume: np.ndarray) -> np.ndarray:
    return np.array(volume[len(volume) // 2], np.float32)


def _mean(scores: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}


def _largest(shifts: list[np.ndarray]) -> list[float]:
    """Of each axis the shift that is farthest from 0, with its sign."""
    table = np.asarray(shifts)
    return [float(column[np.argmax(np.abs(column))]) for column in table.T]


def _whole_cells(hr: np.ndarray, scale: Scale) -> np.ndarray:
    """The HR volume without the last voxels that fill no whole LR voxel."""
    kept = tuple(slice(n - n % factor) for n, factor in zip(hr.shape, scale.zyx, strict=True))
    return np.array(hr[kept])
