"""Whether two cohorts' spectra differ by more than people do. Knows log spectra; knows no degradation and no file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

SIGNIFICANT = 0.05
EXACT, DRAWN = 10_000, 1_999
"""Ways to deal people into two cohorts up to which each is looked at; of more, so many are drawn."""


def permutation_p(hr_spectra: Sequence[np.ndarray], lr_spectra: Sequence[np.ndarray]) -> float | None:
    """The p of the null hypothesis that LR is nothing but truncated HR of other people.

    If it is, then who is in which cohort could have been dealt anew. The statistic is the mean square over the cells of
    the difference between the cohorts' mean log power, each person's own level set aside.

    Args:
        hr_spectra: :func:`log_spectrum` of HR volumes truncated to the LR's k-space.
        lr_spectra: :func:`log_spectrum` of LR volumes.
    Returns: None where people are too few for any p below 0.05 (up to 3 + 3), or have no cell in common.
    Source: the permutation test of Fisher, The Design of Experiments, 1935; statistic and limits are our choice.
    """
    of_hr, people = len(hr_spectra), len(hr_spectra) + len(lr_spectra)
    ways = math.comb(people, of_hr)
    least = (2 if 2 * of_hr == people else 1) / ways  # cohorts of one size may change their names
    if least >= SIGNIFICANT:
        return None
    spectra = np.stack([*hr_spectra, *lr_spectra]).reshape(people, -1)
    spectra = spectra[:, np.isfinite(spectra).all(axis=0)]
    if not spectra.size:
        return None
    spectra = spectra - spectra.mean(axis=1, keepdims=True)
    if ways <= EXACT:
        dealt = np.array(list(itertools.combinations(range(people), of_hr)))  # the first is the one that is so
    else:
        rng = np.random.default_rng(0)
        drawn = [rng.permutation(people)[:of_hr] for _ in range(DRAWN)]
        dealt = np.array([np.arange(of_hr), *drawn])
    weights = np.full((len(dealt), people), -1 / (people - of_hr))
    np.put_along_axis(weights, dealt, 1 / of_hr, axis=1)
    statistic = np.square(weights @ spectra).mean(axis=1)
    return float(np.mean(statistic >= statistic[0] * (1 - 1e-9)))
