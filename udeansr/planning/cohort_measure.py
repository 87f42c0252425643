"""What lies between two cohorts, measured without a pair: contrast, transfer function, noise and level, together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.spectral_fit import measure_degradation
from udeansr.degradation.spectrum import SIGNIFICANT, permutation_p
from udeansr.degradation.tone_curve import LEAST_TONE, ToneCurve, find_tone
from udeansr.image.acquisition import AcquisitionType
from udeansr.image.files import read_volume
from udeansr.image.grid import reorient
from udeansr.parallel import parallel_map
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.bias_correction import (
    IMAGES,
    DegradedSample,
    DegradedSampleRequest,
    degrade_sample,
    with_hidden_noise,
)
from udeansr.planning.case_facts import CaseFacts, hr_spectra
from udeansr.planning.cohort_grid import CohortGrid, most_common
from udeansr.planning.integrity import ExaminedProtocol
from udeansr.planning.raw_dataset import RawDataset
from udeansr.strict_json import Fraction, NonNegativeFloat, PositiveFloat

OTHER_ANATOMY = 1.5
"""Ratio of foregrounds from which on their intensities do not compare: four heads and four others differ by 1.2."""


@dataclass(frozen=True)
class ContrastFacts:
    """How far the contrasts of degraded HR and LR are apart, before any tone curve.

    Attributes:
        apart: root mean square over quantiles of the foreground, in normalised intensity.
        p: of the hypothesis that subjects differ as much by chance; None of too few.
        volume_ratio: the mean volume of the foreground of LR over that of HR.
    """

    apart: NonNegativeFloat = 0.0
    p: Fraction | None = None
    volume_ratio: PositiveFloat = 1.0

    @property
    def same_anatomy(self) -> bool:
        """Whether the foregrounds are of one size: not the brain alone of the one, the whole head of the other."""
        return 1 / OTHER_ANATOMY < self.volume_ratio < OTHER_ANATOMY

    @property
    def differs(self) -> bool:
        """Whether the intensities of one anatomy differ, by more than subjects do, and by enough to matter."""
        return self.same_anatomy and self.p is not None and self.p < SIGNIFICANT and self.apart > LEAST_TONE


@dataclass(frozen=True)
class CohortMeasure:
    """What was measured between two cohorts.

    Attributes:
        degradation: beyond truncation, the tone curve with it.
        degradation_p: of the hypothesis that, but for the tone curve, there is nothing beyond truncation.
        contrast: what the tone curve was decided by.
        level_gain: level of normalised LR over that of normalised HR of the same subject.
        spectra: :func:`~udeansr.degradation.spectrum.foreground_spectrum` of each HR, in the contrast of the LR, and of
            each LR.
    """

    degradation: MeasuredDegradation
    degradation_p: float | None
    contrast: ContrastFacts
    level_gain: float
    spectra: dict[str, list[np.ndarray]]


def measure_cohorts(protocol: ExaminedProtocol, processes: int) -> CohortMeasure:
    """Measure what lies between the cohorts of a protocol.

    A tone curve is found where quantiles say that the contrasts differ by more than subjects do, unless the two show
    anatomy of different size, or contrasts of different kinds. Curve and degradation are measured in turn, as each
    moves the other.

    Args:
        protocol: its images, examined with their spectra.
        processes: worker processes that read HR once more.
    Source: documentation/degradation.md.
    """
    lr = [one.intensities for one in protocol.images if one.intensities is not None]
    kept = _measured(protocol, None, processes)
    tone, p, apart = find_tone(kept.intensities, lr)
    contrast = ContrastFacts(round(apart, 4), p, _volume_ratio(protocol))
    if contrast.differs and _of_one_kind(protocol):
        kept = _measured(protocol, tone, processes)
        kept = _measured(protocol, find_tone(kept.intensities, lr, tone)[0], processes)
    return CohortMeasure(
        with_hidden_noise(kept.degradation, kept.samples, protocol.grid.lr_spacing_mm),
        permutation_p(kept.spectra[SOURCE_HR], kept.spectra[TARGET_LR]),
        contrast,
        round(float(np.median([one.level_gain for one in kept.samples])), 4),
        kept.spectra,
    )


def _volume_ratio(protocol: ExaminedProtocol) -> float:
    """The mean volume of the foreground of LR over that of HR."""
    hr, lr = (
        np.mean([one.foreground_fraction * np.prod(one.shape) * np.prod(one.spacing_mm) for one in facts])
        for facts in _facts(protocol)
    )
    return round(float(lr / hr), 3)


def _of_one_kind(protocol: ExaminedProtocol) -> bool:
    """Whether nothing says that the two cohorts are of different kinds of contrast, which no curve leads between."""
    said = {most_common([one.contrast for one in facts]) for facts in _facts(protocol)}
    return len(said - {None}) < 2


def _facts(protocol: ExaminedProtocol) -> tuple[list[CaseFacts], list[CaseFacts]]:
    """Of source HR, and of target LR."""
    facts = [one.facts for one in protocol.images if one.facts is not None]
    return [one for one in facts if one.group == SOURCE_HR], [one for one in facts if one.group == TARGET_LR]


@dataclass(frozen=True)
class _Measured:
    """A degradation measured under one tone curve, and HR degraded by it."""

    degradation: MeasuredDegradation
    spectra: dict[str, list[np.ndarray]]
    samples: list[DegradedSample]

    @property
    def intensities(self) -> list[np.ndarray]:
        return [one.intensities for one in self.samples]


def _measured(protocol: ExaminedProtocol, tone: ToneCurve | None, processes: int) -> _Measured:
    """Measure all but the tone curve, which is given."""
    grid, images = protocol.grid, [one for one in protocol.images if one.facts is not None]
    if tone is None:
        of_hr = [(one.spectrum, one.unfolded) for one in images if one.group == SOURCE_HR]
    else:
        paths = [one.case.path for one in images if one.group == SOURCE_HR and one.spectrum is not None]
        of_hr = parallel_map(partial(_spectra_of, grid=grid, tone=tone), paths, processes, "measuring contrast")
    lr = [one for one in images if one.group == TARGET_LR]
    spectra = {
        SOURCE_HR: [spectrum for spectrum, _ in of_hr if spectrum is not None],
        TARGET_LR: [one.spectrum for one in lr if one.spectrum is not None],
    }
    told = most_common([one.facts.acquisition for one in lr if one.facts is not None])
    degradation = measure_degradation(
        spectra[SOURCE_HR],
        spectra[TARGET_LR],
        grid.lr_spacing_mm,
        [unfolded for _, unfolded in of_hr if unfolded is not None],
        in_plane_alike=grid.scale.y == grid.scale.x == 1,
        acquisition=cast("AcquisitionType | None", told),
    )
    degradation = replace(degradation, tone=tone)
    return _Measured(degradation, spectra, _degraded(protocol.raw, grid, degradation, processes))


def _spectra_of(path: Path, grid: CohortGrid, tone: ToneCurve) -> tuple[np.ndarray, np.ndarray | None]:
    return hr_spectra(reorient(read_volume(path), grid.orientation), grid, tone)


def _degraded(
    raw: RawDataset, grid: CohortGrid, degradation: MeasuredDegradation, processes: int
) -> list[DegradedSample]:
    """Source HR images, evenly drawn from the cohort."""
    cases = raw.groups[SOURCE_HR]
    drawn = [cases[i] for i in sorted({i * len(cases) // IMAGES for i in range(IMAGES)})]
    requests = [DegradedSampleRequest(case.path, grid, degradation) for case in drawn]
    return parallel_map(degrade_sample, requests, processes, "Correcting")
