"""One image looked at once: its faults, its facts, its spectrum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from udeansr.degradation.spectral_fit import unfolded_spectrum
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.degradation.tone_curve import ToneCurve, intensity_sample, toned
from udeansr.degradation.true_resolution import noise_sigma, resolved_fraction
from udeansr.errors import UdeansrError
from udeansr.image.acquisition import AcquisitionType, acquisition_type, image_contrast, slice_thickness_mm
from udeansr.image.cropping import foreground_box, foreground_mask
from udeansr.image.files import read_volume
from udeansr.image.grid import reorient
from udeansr.image.volume import Geometry, Volume, triple
from udeansr.planning.cohort_grid import CohortGrid, to_hr_grid, to_lr_grid
from udeansr.planning.configuration import SMALLEST_PATCH
from udeansr.planning.raw_dataset import HR_GROUPS, Case
from udeansr.strict_json import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

PERCENTILES = (0.5, 50.0, 99.5)


@dataclass(frozen=True)
class CaseFacts:
    """What the fingerprint keeps of an image.

    Attributes:
        group, name: where it lies in the raw dataset.
        orientation: as stored, three letters for its stored axes.
        shape: voxels along (Z, Y, X) in the plan's orientation.
        spacing_mm: in the same order, mm.
        dtype: the stored type of its voxels.
        foreground_percentiles: 0.5th, 50th and 99.5th percentile of the foreground, in the unit of the voxels.
        foreground_fraction: part of the voxels that is foreground, 0 to 1.
        foreground_start, foreground_shape: the box of the foreground, voxels, in the plan's orientation.
        resolved_fraction: part of its Nyquist frequency up to which it holds anything, along (Z, Y, X).
        noise: standard deviation of its white noise, over the intensity scale; of LR in the band of the HR.
        contrast: in the words of BIDS; None where nothing says.
        slice_thickness: as DICOM or a sidecar says it, over the distance of slices; None where they do not.
        acquisition: 2D or 3D, as they say it.
        digest: of voxels and shape in one fixed orientation: equal for the same image in another file.
    """

    group: str
    name: str
    orientation: str
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    dtype: str
    foreground_percentiles: tuple[float, float, float]
    foreground_fraction: Fraction
    foreground_start: tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt]
    foreground_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    digest: str
    resolved_fraction: tuple[Fraction, Fraction, Fraction] = (1.0, 1.0, 1.0)
    noise: NonNegativeFloat = 0.0
    contrast: str | None = None
    slice_thickness: PositiveFloat | None = None
    acquisition: AcquisitionType | None = None

    @property
    def intensity_scale(self) -> float:
        """The level that becomes 1, in the unit of the voxels."""
        return self.foreground_percentiles[-1]


@dataclass(frozen=True)
class Request:
    """An image to look at.

    Attributes:
        group: its group in the raw dataset.
        case: its name and file.
        grid: the common grid, which gives orientation and scale; None where the headers did not tell.
        spectrum: whether the spectrum is wanted.
    """

    group: str
    case: Case
    grid: CohortGrid | None
    spectrum: bool


@dataclass(frozen=True)
class Examined:
    """What was found in an image.

    Attributes:
        group, case: the image.
        faults: one line each; empty if all is well.
        geometry: in the plan's orientation (as stored where there is no grid); None if unreadable.
        facts: None where there are faults.
        spectrum: (16, 16, 16) log power on the LR grid, HR truncated to it; None if not wanted.
        unfolded: (sz * 16, 16, 16) of HR up to its own Nyquist along the slab axis; None where that is the LR's.
        intensities: sample of an LR, where the spectrum is wanted.
    """

    group: str
    case: Case
    faults: tuple[str, ...] = ()
    geometry: Geometry | None = None
    facts: CaseFacts | None = None
    spectrum: np.ndarray | None = None
    unfolded: np.ndarray | None = None
    intensities: np.ndarray | None = None


def examine(request: Request) -> Examined:
    """Read an image once and find its faults, facts and spectrum; a fault is returned, not raised."""
    group, case = request.group, request.case
    try:
        stored = read_volume(case.path)
    except UdeansrError as error:
        return Examined(group, case, (str(error),))
    orientation = request.grid.orientation if request.grid else stored.geometry.orientation
    volume = reorient(stored, orientation)
    faults = _voxel_faults(case, volume.voxels)
    if faults:
        return Examined(group, case, faults, volume.geometry)
    facts = _facts(request, volume, stored.geometry.orientation)
    spectrum = unfolded = intensities = None
    if request.grid and request.spectrum and fits_patch(facts, request.grid):
        if group in HR_GROUPS:
            spectrum, unfolded = hr_spectra(volume, request.grid)
        else:
            lr = to_lr_grid(volume, request.grid)
            spectrum, intensities = foreground_spectrum(lr), intensity_sample(lr)
    return Examined(group, case, (), volume.geometry, facts, spectrum, unfolded, intensities)


def hr_spectra(volume: Volume, grid: CohortGrid, tone: ToneCurve | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """The spectra of HR in the contrast of the LR: truncated to its k-space, and unfolded where slices are merged.

    Args:
        volume: HR in the orientation of the grid.
        grid: the grid of both cohorts.
        tone: from its contrast to that of the LR.
    """
    hr, scale = to_hr_grid(toned(volume, tone), grid), grid.scale
    return foreground_spectrum(hr, scale), unfolded_spectrum(hr, scale) if scale.z > 1 else None


def fits_patch(facts: CaseFacts, grid: CohortGrid) -> bool:
    """Whether the foreground holds the smallest patch that can be trained on."""
    extent = grid.lr_voxels(facts.foreground_shape, facts.spacing_mm)
    return all(n >= least for n, least in zip(extent, SMALLEST_PATCH, strict=True))


def _voxel_faults(case: Case, voxels: np.ndarray) -> tuple[str, ...]:
    """What makes the voxels no image."""
    broken = int(voxels.size - np.count_nonzero(np.isfinite(voxels)))
    if broken:
        return (f"{case.path}: {broken} voxels are not finite; expected numbers everywhere; repair or remove the file",)
    lowest, highest = voxels.min(), voxels.max()
    if lowest == highest:
        return (f"{case.path}: every voxel is {lowest:g}; expected an image; replace or remove the file",)
    if highest <= 0:
        return (f"{case.path}: no voxel is above 0; expected magnitudes; rescale, replace or remove the file",)
    return ()


def _facts(request: Request, volume: Volume, stored_orientation: str) -> CaseFacts:
    path, thickness_mm = request.case.path, slice_thickness_mm(request.case.path)
    seen = to_lr_grid(volume, request.grid) if request.grid and request.group not in HR_GROUPS else volume.voxels
    mask = foreground_mask(volume.voxels)
    low, middle, high = (float(f"{n:.6g}") for n in np.percentile(volume.voxels[mask], PERCENTILES))
    start, shape = foreground_box(volume.voxels)
    return CaseFacts(
        group=request.group,
        name=request.case.name,
        orientation=stored_orientation,
        shape=volume.geometry.shape,
        spacing_mm=volume.geometry.spacing_mm,
        dtype=str(volume.voxels.dtype),
        foreground_percentiles=(low, middle, high),
        foreground_fraction=round(float(mask.mean()), 6),
        foreground_start=start,
        foreground_shape=shape,
        digest=_digest(volume),
        resolved_fraction=triple(resolved_fraction(volume.voxels, axis) for axis in range(3)),
        noise=float(f"{noise_sigma(seen) / high:.4g}"),
        contrast=image_contrast(path),
        slice_thickness=None if thickness_mm is None else round(thickness_mm / volume.geometry.spacing_mm[0], 3),
        acquisition=acquisition_type(path),
    )


def _digest(volume: Volume) -> str:
    """Equal for equal voxels, whatever the file's format, its type of number and the order its axes are stored in."""
    voxels = reorient(volume, "SPL").voxels.astype(np.float32)
    return hashlib.blake2b(str(voxels.shape).encode() + voxels.tobytes(), digest_size=16).hexdigest()
