"""What of the rows' scores is compared, how, and whether two rows differ by more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

from udeansr.benchmark.row_result import RowResult
from udeansr.benchmark.rows import TRUE

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


REFERENCE_ROW = "supervised_measured"
"""The row that others are compared with, subject by subject."""


@dataclass(frozen=True)
class Column:
    """A metric in the table.

    Attributes:
        key: of the scores.
        head: as the table shows it.
        digits: after the point.
        best: whether the largest mean is made bold.
        largest: whether the largest amount of any subject is shown, not the mean.
    """

    key: str
    head: str
    digits: int
    best: bool = False
    largest: bool = False


COLUMNS = (
    Column("psnr_db", "PSNR dB", 2, best=True),
    Column("ssim_2d", "SSIM 2-D", 4, best=True),
    Column("foreground_nrmse", "NRMSE, foreground", 4),
    Column("spectrum_low_db", "spectrum, low dB", 2),
    Column("spectrum_middle_db", "middle dB", 2),
    Column("spectrum_high_db", "high dB", 2),
    Column("shift_voxels", "shift, voxels", 3, largest=True),
    Column("gain", "gain", 3),
)


def largest(result: RowResult, key: str) -> float:
    """The largest amount of any subject."""
    return float(np.max([abs(scores[key]) for scores in result.cases.values()]))


def best_row(results: list[RowResult], key: str) -> RowResult | None:
    """The row of the largest mean among those that are told no secret."""
    means = {
        place: mean
        for place, result in enumerate(results)
        if result.row.source_degradation != TRUE and not math.isnan(mean := result.scores.mean(key))
    }
    return results[max(means, key=lambda place: means[place])] if means else None


def paired_difference(result: RowResult, results: list[RowResult]) -> float | None:
    """The mean over subjects of this row's PSNR less the reference row's; None without that row, or for itself."""
    reference = next((one for one in results if one.row.name == REFERENCE_ROW), None)
    if reference is None or reference is result or set(result.cases) != set(reference.cases):
        return None
    apart = [scores["psnr_db"] - reference.cases[name]["psnr_db"] for name, scores in result.cases.items()]
    return float(np.mean(apart))
