"""What is wrong with an SR, in plain words: each warning has its number, and what it should be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from udeansr.degradation.spectrum import log_spectrum
from udeansr.prediction.trust import Trust
from udeansr.report.pair import Pair
from udeansr.report.spectra import AxisSpectra
from udeansr.report.support import DOUBTED, Support

MOST_SHIFT_MM = 0.15
MOST_GAIN = 0.03
LEAST_BAND_DB = -1.5
"""Of the power of SR, degraded, over that of its LR in the upper half of the LR's band."""

LEAST_ADDED_DB = 3.0
"""Of the power of SR over tricubic's just above the LR's band."""

MOST_OF_NOISE = 4.0
"""Root mean square of what SR, degraded, differs by from its LR, over the LR's noise."""

LEAST_CONSISTENCY_DB = 34.0
"""Below it, and above that much noise, SR contradicts its LR; an LR without noise is not held to none."""

MOST_DOUBTED = 0.02
MOST_SPECTRUM_DB, LEAST_LOW_DB = 3.0, -3.0
MOST_HR_SHIFT, MOST_HR_GAIN = 0.1, 0.03

_ABOVE = 1.5
"""Times the LR's Nyquist frequency: up to where what SR adds is held against interpolation."""


def lr_warnings(pair: Pair, trust: Trust, support: Support, spectra: Sequence[AxisSpectra]) -> list[str]:
    """What the LR says against its SR."""
    found, mm = [], max(pair.fine.spacing_mm)
    if trust.shift_voxels * mm > MOST_SHIFT_MM and trust.shift_voxels > MOST_HR_SHIFT:
        found.append(f"SR is shifted against its LR by up to {trust.shift_voxels:.2f} voxels; expected 0.")
    if abs(trust.gain - 1) > MOST_GAIN:
        word = "darker" if trust.gain < 1 else "brighter"
        found.append(f"SR is {word} than its LR: its level is {100 * trust.gain:.0f} % of the LR's; expected 100 %.")
    band_db = in_band_db(pair)
    if band_db < LEAST_BAND_DB:
        found.append(
            f"SR is blurred: it is smoother than its own LR ({band_db:.1f} dB in the upper half of the LR's band; "
            "expected about 0)."
        )
    added_db = added_over_tricubic_db(spectra)
    if added_db < LEAST_ADDED_DB:
        found.append(
            f"SR is no sharper than interpolation: just above what the LR resolves it has {added_db:+.1f} dB of the "
            f"power of the tricubic LR; expected {LEAST_ADDED_DB:.0f} dB more at least."
        )
    error = 10 ** (-trust.consistency_db / 20)
    if trust.consistency_db < LEAST_CONSISTENCY_DB and error > MOST_OF_NOISE * pair.noise:
        found.append(
            f"SR contradicts its LR: seen through the LR's scanner it differs by {100 * error:.1f} % of the level "
            f"(root mean square), {error / max(pair.noise, 1e-6):.0f} times the LR's noise."
        )
    if support.doubted_part > MOST_DOUBTED:
        found.append(
            f"In {100 * support.doubted_part:.1f} % of the foreground SR shows more than {DOUBTED:.0f} standard "
            "deviations of what its LR does not support; look at the layer “doubt”."
        )
    return found


def in_band_db(pair: Pair) -> float:
    """Power of SR, degraded, over that of its LR less noise, mean over the upper half of the LR's band; 0 is right.

    Only cells count in which the LR holds four times more than noise; 0 where none does.
    """
    made, truth = (np.exp(log_spectrum(image)) for image in (pair.degraded(), pair.lr))
    noise = pair.noise**2
    place = np.indices(truth.shape).max(0) / len(truth)
    with np.errstate(invalid="ignore"):
        counted = (place >= 0.5) & (truth > 5 * noise) & np.isfinite(made) & (made > 0)
    if not counted.any():
        return 0.0
    return float(np.mean(10 * np.log10(made[counted] / (truth[counted] - noise))))


def added_over_tricubic_db(spectra: Sequence[AxisSpectra]) -> float:
    """Power of SR over that of the tricubic LR just above the LR's band, along the axis with the most; dB."""
    most = -math.inf
    for axis in spectra:
        if "tricubic" not in axis.curves:
            continue
        tricubic, sr = axis.curves["tricubic"], axis.curves["SR"]
        frequency, plain = np.asarray(tricubic.frequency), np.asarray(tricubic.power_db)
        sharp = np.interp(frequency, sr.frequency, sr.power_db)
        above = (frequency > axis.lr_nyquist) & (frequency < _ABOVE * axis.lr_nyquist)
        if above.any():
            most = max(most, float(np.mean(sharp[above] - plain[above])))
    return most if math.isfinite(most) else math.inf


def hr_warnings(scores: Mapping[str, float]) -> list[str]:
    """What the truth says against an SR, by its scores."""
    found = []
    if scores["shift_voxels"] > MOST_HR_SHIFT:
        found.append(f"SR is shifted against HR by up to {scores['shift_voxels']:.2f} voxels; expected 0.")
    if abs(scores["gain"] - 1) > MOST_HR_GAIN:
        word = "darker" if scores["gain"] < 1 else "brighter"
        found.append(f"SR is {word} than HR: its level is {100 * scores['gain']:.0f} % of HR's; expected 100 %.")
    low_db, middle_db, high_db = (scores[f"spectrum_{band}_db"] for band in ("low", "middle", "high"))
    if low_db < LEAST_LOW_DB:
        found.append(f"SR is blurred: the lower half of the spectrum, which the LR should have, has {low_db:.1f} dB.")
    for band, value in (("middle", middle_db), ("high", high_db)):
        if value > MOST_SPECTRUM_DB:
            found.append(f"SR has {value:.1f} dB more power than HR in the {band} frequencies: invented detail, noise.")
    return found


def prediction_warnings(report: Mapping[str, Any]) -> list[str]:
    """What prediction itself has found out, as its JSON tells, which somebody may have changed."""
    told = report.get("outside")
    reasons = [reason for reason in told if isinstance(reason, str)] if isinstance(told, list) else []
    return [f"The LR lies outside of what the model was made for: {reason}." for reason in reasons]
