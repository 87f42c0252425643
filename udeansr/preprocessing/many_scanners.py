"""LR of one HR as many scanners would give it, for a model that meets scanners unknown. Knows arrays; knows no file."""

from __future__ import annotations

import zlib

import numpy as np

from udeansr.degradation.kspace import degrade
from udeansr.degradation.restoration import with_restored
from udeansr.degradation.transfer import MeasuredDegradation
from udeansr.degradation.variety import draw_degradation
from udeansr.image.normalization import intensity_scale
from udeansr.planning.domain import Domain
from udeansr.planning.plan import Configuration

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
        lr = degrade(np.maximum(hr, 0), configuration.factors, draw_degradation(rng), rng)
        level = np.float32(intensity_scale(lr))
        measured.append(domain.measure(lr, configuration.lr_spacing_mm))
        made.append(with_restored(lr / level, measured[-1], domain.spectrum) * level)
    return np.stack(made), measured
