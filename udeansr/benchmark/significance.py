"""Whether two rows differ by more than chance, person by person. Knows numbers; knows no row and no text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import wilcoxon

SIGNIFICANT = 0.05
FEWEST_PAIRS = 6
"""Of fewer pairs the smallest p of a two-sided test, 2^(1 - n), is above ``SIGNIFICANT``."""


def signed_rank_p(differences: Sequence[float]) -> float | None:
    """The p of Wilcoxon's signed-rank test, two-sided, of paired differences; not corrected for several tests.

    Exact where no two differences are alike in size; pairs that do not differ are left out, as Wilcoxon did.

    Args:
        differences: one a pair.
    Returns: 1 where no pair differs; None without a pair, or where a difference is no number.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not values.size or not np.isfinite(values).all():
        return None
    values = values[values != 0]
    if not values.size:
        return 1.0
    _, p = np.asarray(wilcoxon(values))
    return float(p)
