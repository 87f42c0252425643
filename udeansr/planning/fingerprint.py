"""The fingerprint: what is so in a dataset, before anything is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.degradation.true_resolution import Resolved
from udeansr.image.acquisition import AcquisitionType
from udeansr.image.grid import equal_spacing
from udeansr.paths import SOURCE_HR, TARGET_LR
from udeansr.planning.bias_correction import IMAGES
from udeansr.planning.case_facts import CaseFacts
from udeansr.planning.cohort_grid import CohortGrid, most_common
from udeansr.planning.cohort_measure import ContrastFacts, measure_cohorts
from udeansr.planning.configuration import BandAxes
from udeansr.planning.domain import Domain, find_domain
from udeansr.planning.integrity import ExaminedProtocol, examine_dataset
from udeansr.planning.raw_dataset import RawDataset
from udeansr.strict_json import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, read_json_as, write_json

FINGERPRINT_FILE = "fingerprint.json"

_REMEDY = "udeansr_plan_and_preprocess -d DATASET"


@dataclass(frozen=True)
class CohortFacts:
    """What is so of most of a cohort: medians over its images.

    Attributes:
        images: how many there are.
        shape: voxels along (Z, Y, X) in the plan's orientation.
        spacing_mm: in the same order, mm.
        foreground_percentiles: 0.5th, 50th and 99.5th percentile of the foreground, in the unit of the voxels.
        foreground_fraction: part of the voxels that is foreground, 0 to 1.
        log_power: the mean over subjects of the log power along each axis, the other two frequencies near 0, in bins of
            |f| / Nyquist of the LR, by axis "Z", "Y", "X"; HR truncated to the LR's k-space; None where a bin is empty.
        resolved_fraction: part of its Nyquist frequency up to which an image holds anything, along (Z, Y, X): where the
            scanner interpolated, voxels are smaller than what was measured.
        noise: standard deviation of an image's white noise, over the level that becomes 1.
        contrast: that of most images, in the words of BIDS; None where nothing says.
        slice_thickness: over the distance of slices, as headers or sidecars say it; None where they do not.
        acquisition: 2D or 3D, as most of them say it.
    """

    images: PositiveInt
    shape: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    foreground_percentiles: tuple[float, float, float]
    foreground_fraction: Fraction
    log_power: dict[str, tuple[float | None, ...]]
    resolved_fraction: tuple[Resolved, Resolved, Resolved] = (1.0, 1.0, 1.0)
    noise: NonNegativeFloat = 0.0
    contrast: str | None = None
    slice_thickness: PositiveFloat | None = None
    acquisition: AcquisitionType | None = None


@dataclass(frozen=True)
class Fingerprint:
    """What was found in a raw dataset, or in the part of it whose target LR is of one protocol.

    Attributes:
        dataset: the dataset's folder name.
        orientation: three letters for (Z, Y, X), slab axis first, in which all that follows is given.
        lr_spacing_mm, hr_spacing_mm: medians of target LR and source HR, (Z, Y, X), mm; along the band axes both those
            of the HR.
        smallest_lr_voxels: the smallest foreground of any training image along (Z, Y, X), HR counted in LR voxels.
        cohorts: medians by training group.
        degradation: what lies between the cohorts beyond truncation, measured without pairs.
        degradation_p: of the hypothesis that there is nothing beyond truncation; None of too few subjects.
        level_gain: level of normalised LR over that of normalised HR of the same subject: from HR degraded as measured.
        contrast: how far the contrasts of the cohorts are apart; where that is no chance, ``degradation.tone`` is set.
        cases: the facts of every image.
        band_axes: along which HR is coarser than LR, see :class:`CohortGrid`.
    """

    dataset: str
    orientation: str
    lr_spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    hr_spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    smallest_lr_voxels: tuple[int, int, int]
    cohorts: dict[str, CohortFacts]
    degradation: MeasuredDegradation
    degradation_p: Fraction | None
    level_gain: PositiveFloat
    cases: tuple[CaseFacts, ...]
    contrast: ContrastFacts = field(default_factory=ContrastFacts)
    band_axes: BandAxes = ""

    @property
    def grid(self) -> CohortGrid:
        """The grid of the cohorts, which knows the scale."""
        return CohortGrid(self.orientation, self.lr_spacing_mm, self.hr_spacing_mm, self.band_axes)

    @property
    def other_contrast(self) -> bool:
        """Whether LR and HR are known to be of different contrasts."""
        contrasts = {cohort.contrast for cohort in self.cohorts.values()} - {None}
        return len(contrasts) > 1

    @property
    def resampled(self) -> tuple[str, ...]:
        """The names of the source HR whose spacing is not that of the LR / scale within 2 %."""
        target = self.grid.sr_spacing_mm
        hr = (case for case in self.cases if case.group == SOURCE_HR)
        return tuple(case.name for case in hr if not equal_spacing(case.spacing_mm, target))

    def save(self, path: Path) -> None:
        """Write the fingerprint as JSON, whole or not at all."""
        write_json(self, path)

    @classmethod
    def load(cls, path: Path) -> Fingerprint:
        """Read ``fingerprint.json``.

        Raises:
            UdeansrError: if the file is missing, is no JSON or no fingerprint.
        """
        return read_json_as(cls, path, "fingerprint", _REMEDY)


def extract_fingerprints(raw: RawDataset, processes: int) -> list[tuple[Fingerprint, Domain]]:
    """Check a dataset, then find what is so in it, and the domain of what is learnt from it.

    Args:
        raw: the dataset.
        processes: worker processes that read the images.
    Raises:
        UdeansrError: with every fault of the dataset, one line each, naming its file.
    """
    return [_extracted(protocol, processes) for protocol in examine_dataset(raw, processes, spectra=True)[0]]


def _extracted(protocol: ExaminedProtocol, processes: int) -> tuple[Fingerprint, Domain]:
    raw, grid = protocol.raw, protocol.grid
    facts = tuple(one.facts for one in protocol.images if one.facts is not None)
    measure = measure_cohorts(protocol, processes)
    trained = [case for case in facts if case.group in measure.spectra]
    extents = [grid.lr_voxels(case.foreground_shape, case.spacing_mm) for case in trained]
    depth, height, width = (int(n) for n in np.min(extents, axis=0))
    fingerprint = Fingerprint(
        dataset=raw.name,
        orientation=grid.orientation,
        lr_spacing_mm=grid.lr_spacing_mm,
        hr_spacing_mm=grid.hr_spacing_mm,
        smallest_lr_voxels=(depth, height, width),
        cohorts={
            group: _cohort([case for case in trained if case.group == group], spectra)
            for group, spectra in measure.spectra.items()
        },
        degradation=measure.degradation,
        degradation_p=measure.degradation_p,
        level_gain=measure.level_gain,
        contrast=measure.contrast,
        cases=facts,
        band_axes=cast(BandAxes, grid.band_axes),
    )
    singly = measure.spectra[TARGET_LR][:IMAGES]
    contrast = raw.about.contrast or fingerprint.cohorts[TARGET_LR].contrast
    domain = find_domain(measure.spectra[SOURCE_HR], singly, grid.lr_spacing_mm, contrast)
    return fingerprint, replace(domain, resolved_fraction=fingerprint.cohorts[TARGET_LR].resolved_fraction)


def _cohort(cases: Sequence[CaseFacts], spectra: Sequence[np.ndarray]) -> CohortFacts:
    thick = [case.slice_thickness for case in cases if case.slice_thickness is not None]
    return CohortFacts(
        images=len(cases),
        shape=_median([case.shape for case in cases]),
        spacing_mm=_median([case.spacing_mm for case in cases]),
        foreground_percentiles=_median([case.foreground_percentiles for case in cases]),
        foreground_fraction=float(np.median([case.foreground_fraction for case in cases])),
        log_power={"ZYX"[axis]: _profile(spectra, axis) for axis in range(3)},
        resolved_fraction=_median([case.resolved_fraction for case in cases]),
        noise=round(float(np.median([case.noise for case in cases])), 6),
        contrast=most_common([case.contrast for case in cases]),
        slice_thickness=round(float(np.median(thick)), 3) if thick else None,
        acquisition=cast("AcquisitionType | None", most_common([case.acquisition for case in cases])),
    )


def _profile(spectra: Sequence[np.ndarray], axis: int) -> tuple[float | None, ...]:
    """The mean over subjects of the cells along one axis; None where nobody has a sample."""
    along = np.stack([np.moveaxis(spectrum, axis, 0)[:, 0, 0] for spectrum in spectra])
    filled = np.isfinite(along)
    counts = filled.sum(axis=0)
    means = np.where(filled, along, 0).sum(axis=0) / np.maximum(counts, 1)
    return tuple(round(float(mean), 4) if count else None for mean, count in zip(means, counts, strict=True))


def _median(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    one, two, three = (round(float(n), 6) for n in np.median(rows, axis=0))
    return (one, two, three)
