"""Power spectra of volumes, the distance between those of two cohorts, and whether it may be chance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.cropping import foreground_box
from udeansr.image.grid import Scale
from udeansr.image.normalization import intensity_scale, normalize

BINS = 16
TAPERED = 0.2
"""Part of each side over which the volume is tapered, half of it at either end: where anatomy is cut by the field of
view (a neck) or by a crop, the jump is no property of the scanner (documentation/degradation.md).
"""


def foreground_spectrum(
    voxels: np.ndarray, scale: Scale | None = None, bins: tuple[int, int, int] = (BINS, BINS, BINS)
) -> np.ndarray:
    """:func:`log_spectrum` of the normalised foreground box of one volume: what a degradation is measured from.

    Args:
        voxels: (Z, Y, X), any unit, not all zero, slab axis first.
        scale: for HR: its k-space is truncated to that of the LR and the magnitude taken, as the LR scanner did: its
            ringing in the air would else be read as noise of the LR. None for LR.
        bins: cells along (Z, Y, X).
    Raises:
        ValueError: if no voxel is positive.
    """
    (z, y, x), sides = foreground_box(voxels)
    depth, height, width = (n // s * s for n, s in zip(sides, scale.zyx if scale else (1, 1, 1), strict=True))
    box = normalize(voxels[z : z + depth, y : y + height, x : x + width], intensity_scale(voxels))
    return log_spectrum(np.abs(truncate_kspace(box, scale)) if scale else box, bins)


def log_spectrum(voxels: np.ndarray, bins: tuple[int, int, int] = (BINS, BINS, BINS)) -> np.ndarray:
    """Natural logarithm of the mean power in cells of |f| / Nyquist.

    Args:
        voxels: (Z, Y, X), cropped to the foreground and normalised.
        bins: cells along (Z, Y, X); their borders divide 0 to 1 evenly.
    Returns: ``bins`` float64; white noise of standard deviation s gives log(s^2). NaN where a small volume
        has no sample in a cell.
    """
    image, energy = taper(voxels)
    power = np.abs(np.fft.fftn(image)) ** 2 / energy
    cells = [_wave_numbers(size) * 2 * n // size for size, n in zip(voxels.shape, bins, strict=True)]
    z, y, x = np.meshgrid(
        *(np.minimum(cell, n - 1) for cell, n in zip(cells, bins, strict=True)), indexing="ij", sparse=True
    )
    cell = ((z * bins[1] + y) * bins[2] + x).ravel()
    total = np.bincount(cell, power.ravel(), minlength=math.prod(bins))
    count = np.bincount(cell, minlength=math.prod(bins))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(total / count).reshape(bins)


def _wave_numbers(size: int) -> np.ndarray:
    """How often a wave fits into the field of view, without sign, in the order of the FFT: integers."""
    return np.rint(np.abs(np.fft.fftfreq(size, 1 / size))).astype(int)


def taper(voxels: np.ndarray) -> tuple[np.ndarray, float]:
    """Taper a volume (Z, Y, X) towards its borders: float32, and the sum of the squared weights."""
    image, energy = voxels.astype(np.float32), 1.0
    for axis, size in enumerate(voxels.shape):
        window = _tukey(size + 2)[1:-1]
        image *= window.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        energy *= float(np.sum(window**2))
    return image, energy


def _tukey(size: int) -> np.ndarray:
    """Tukey's window, cosines over the tapered part: (size,). Scipy has it, and takes a second to import it."""
    place, edge = np.arange(size, dtype=np.float64), math.floor(TAPERED * (size - 1) / 2) + 1
    window = np.ones(size)
    window[:edge] = 0.5 * (1 + np.cos(np.pi * (-1 + 2.0 * place[:edge] / TAPERED / (size - 1))))
    falling = -2.0 / TAPERED + 1 + 2.0 * place[size - edge :] / TAPERED / (size - 1)
    window[size - edge :] = 0.5 * (1 + np.cos(np.pi * falling))
    return window


def spectrum_distance(spectra_a: Sequence[np.ndarray], spectra_b: Sequence[np.ndarray]) -> float:
    """How far the mean spectra of two cohorts lie apart.

    Args:
        spectra_a: :func:`log_spectrum` of each volume of the one.
        spectra_b: of each volume of the other.
    Returns: root mean square over the cells of the difference of mean log10 power, decades. 0 for equal spectra; two
        cohorts that differ by a factor of 10 in power have 1.
    Raises:
        ValueError: if a cohort is empty or no cell is filled in both.
    """
    difference = (mean_spectrum(spectra_a) - mean_spectrum(spectra_b)) / np.log(10)
    filled = np.isfinite(difference)
    if not filled.any():
        raise ValueError("the two cohorts have no cell of the spectrum in common")
    return float(np.sqrt(np.mean(difference[filled] ** 2)))


def mean_spectrum(spectra: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over volumes of each cell, of those that have it; NaN where none has.

    Raises:
        ValueError: if there is no spectrum.
    """
    if not len(spectra):
        raise ValueError("a cohort without volumes has no spectrum")
    stack = np.stack(spectra)
    filled = np.isfinite(stack)
    with np.errstate(invalid="ignore"):
        return np.where(filled, stack, 0).sum(0) / filled.sum(0)


SIGNIFICANT = 0.05
EXACT, DRAWN = 10_000, 1_999
"""Up to so many permutations (ways to divide subjects into two cohorts), all are computed; of more, so many drawn."""


def permutation_p(hr_spectra: Sequence[np.ndarray], lr_spectra: Sequence[np.ndarray]) -> float | None:
    """The p of the null hypothesis that LR is nothing but truncated HR of other subjects: a permutation test.

    If it is, the cohorts' labels can be exchanged. The statistic is the mean square over the cells of
    the difference between the cohorts' mean log power, each subject's own level set aside.

    Args:
        hr_spectra: :func:`log_spectrum` of HR volumes truncated to the LR's k-space.
        lr_spectra: :func:`log_spectrum` of LR volumes.
    Returns: None where subjects are too few for any p below 0.05 (up to 3 + 3), or have no cell in common.
    Source: the permutation test of Fisher, The Design of Experiments, 1935; statistic and limits are our choice.
    """
    spectra = np.stack([*hr_spectra, *lr_spectra]).reshape(len(hr_spectra) + len(lr_spectra), -1)
    spectra = spectra[:, np.isfinite(spectra).all(axis=0)]
    if not spectra.size:
        return None
    spectra = spectra - spectra.mean(axis=1, keepdims=True)
    return cohorts_p(spectra[: len(hr_spectra)], spectra[len(hr_spectra) :])


def cohorts_p(one: np.ndarray, other: np.ndarray) -> float | None:
    """The p of the null hypothesis that two cohorts are of one kind, by the mean square of what their means differ in.

    Args:
        one: (subjects, numbers).
        other: (subjects, numbers), the same numbers of others.
    Returns, source: as of :func:`permutation_p`.
    """
    of_one, subjects = len(one), len(one) + len(other)
    ways = math.comb(subjects, of_one)
    least = (2 if 2 * of_one == subjects else 1) / ways  # of cohorts of one size, two divisions are alike
    if least >= SIGNIFICANT:
        return None
    if ways <= EXACT:
        divisions = np.array(list(itertools.combinations(range(subjects), of_one)))  # the first is the true one
    else:
        rng = np.random.default_rng(0)
        drawn = [rng.permutation(subjects)[:of_one] for _ in range(DRAWN)]
        divisions = np.array([np.arange(of_one), *drawn])
    weights = np.full((len(divisions), subjects), -1 / (subjects - of_one))
    np.put_along_axis(weights, divisions, 1 / of_one, axis=1)
    statistic = np.square(weights @ np.concatenate([one, other])).mean(axis=1)
    return float(np.mean(statistic >= statistic[0] * (1 - 1e-9)))
