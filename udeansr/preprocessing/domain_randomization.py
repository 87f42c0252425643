"""LR of one HR as many scanners would give it, for a model of scanners unknown: domain randomization."""

from __future__ import annotations

import zlib

import numpy as np

from udeansr.degradation.kspace import AXES, TRUNCATION, Degradation, degrade
from udeansr.degradation.measured_degradation import MeasuredDegradation, with_deconvolved
from udeansr.image.normalization import intensity_scale
from udeansr.planning.configuration import Configuration
from udeansr.planning.domain import Domain

PARTIAL_FOURIER = (0.625, 0.75, 0.875)
"""5/8, 6/8 and 7/8: what scanners offer."""


def draw_degradation(rng: np.random.Generator) -> Degradation:
    """One degradation of the range: a fifth of them plain truncation, the others of any strength and combination.

    Apodisation up to a Hamming window's 0.46; partial Fourier on any axis in every other one; an ellipsoid of k-space
    in every fifth; noise from 0.2 to 4 % of the foreground's mean, evenly in its logarithm.
    """
    if rng.random() < 0.2:
        return TRUNCATION
    apodization = float(rng.uniform(0, 0.46)) if rng.random() < 0.75 else 0.0
    partial = float(rng.choice(PARTIAL_FOURIER)) if rng.random() < 0.5 else 1.0
    axis = str(rng.choice(list(AXES)))
    elliptical = bool(rng.random() < 0.2)
    noise = float(np.exp(rng.uniform(np.log(0.002), np.log(0.04))))
    return Degradation(apodization, partial, axis, elliptical, noise)


SCANNERS = 8
"""Degradations drawn for each HR."""


def degrade_variously(
    hr: np.ndarray, configuration: Configuration, domain: Domain, name: str
) -> tuple[np.ndarray, list[MeasuredDegradation]]:
    """Make LR of preprocessed HR as :data:`SCANNERS` scanners would, and treat each as prediction treats an LR.

    That is: its degradation is measured against the domain, not told, so that the network meets the measure's errors.

    Args:
        hr: (Z, Y, X) normalised; each side divides by the scale.
        configuration: tells scale and spacing.
        domain: of the dataset.
        name: of the case; the same name draws the same degradations and noise.
    Returns: (scanners, 2, Z / sz, Y / sy, X / sx) float32, restored and as it is, in the unit of ``hr``; and what was
        measured of each.
    """
    made, measured = [], []
    for scanner in range(SCANNERS):
        rng = np.random.default_rng([zlib.crc32(name.encode()), scanner])
        lr = degrade(np.maximum(hr, 0), configuration.task.factors, draw_degradation(rng), rng)
        level = np.float32(intensity_scale(lr))
        measured.append(domain.measure(lr, configuration.task.lr_spacing_mm))
        made.append(with_deconvolved(lr / level, measured[-1], domain.spectrum) * level)
    return np.stack(made), measured
