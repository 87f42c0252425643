"""The degradations that a model for unknown scanners learns from. Knows numbers; knows no array and no file."""

from __future__ import annotations

import numpy as np

from udeansr.degradation.kspace import AXES, TRUNCATION, Degradation

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
