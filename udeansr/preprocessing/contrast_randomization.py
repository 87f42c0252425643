"""One HR in random contrasts, for a model of contrasts unknown: domain randomization of intensities."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from udeansr.image.normalization import intensity_scale
from udeansr.preprocessing.preparation import Prepared

CONTRASTS = 4
"""In which each HR is shown: its own and random ones."""

MARK = "__contrast"
"""Between the name of a case and the number of its contrast, in the names of folders."""

KNOTS = (0.0, 0.08, 0.22, 0.36, 0.5, 0.64, 0.78, 0.92, 1.1)
"""Normalised intensities at which a random curve is drawn; the darkest is that of air, which stays dark."""

BIAS = 0.2
"""Largest coefficient of the logarithm of a bias field, for each of its terms."""


def draw_contrast(voxels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Show an image in a random contrast, under a random bias field.

    Intensities go through a smooth random curve, rising or falling or both, so that tissues change their order as they
    do from T1w to T2w, FLAIR or PD; air stays dark.

    Args:
        voxels: (Z, Y, X) normalised, the level 1 being the 99.5th percentile of the foreground.
        rng: draws some twenty numbers.
    Returns: (Z, Y, X) float32, normalised in the same way.
    Source: of the idea, SynthSeg (Billot et al., Medical Image Analysis 86, 2023), which draws a contrast by tissue.
    """
    from scipy.interpolate import PchipInterpolator  # not at the top: planning has no use for it

    heights = np.concatenate([[0.0, rng.uniform(0, 0.3)], rng.uniform(0.1, 1.0, len(KNOTS) - 2)])
    curve = PchipInterpolator(KNOTS, heights)
    shown = curve(np.clip(voxels, KNOTS[0], KNOTS[-1])).astype(np.float32)
    for axis, size in enumerate(voxels.shape):
        place = np.linspace(-1, 1, size, dtype=np.float32)
        linear, square = rng.uniform(-BIAS, BIAS, 2).astype(np.float32)
        along = np.exp(linear * place + square * place**2)
        shown *= along.reshape([-1 if i == axis else 1 for i in range(3)])
    return shown / np.float32(intensity_scale(shown))


def variants(prepared: Prepared, name: str) -> tuple[Prepared, ...]:
    """Prepared HR as it is and in random contrasts, :data:`CONTRASTS` in all.

    Args:
        prepared: as it is.
        name: of the case; the same name draws the same contrasts.
    """
    rngs = (np.random.default_rng([zlib.crc32(name.encode()), number]) for number in range(1, CONTRASTS))
    return prepared, *(replace(prepared, voxels=draw_contrast(prepared.voxels, rng)) for rng in rngs)
