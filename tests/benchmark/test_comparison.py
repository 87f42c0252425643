import math
from dataclasses import replace

import pytest

from udeansr.benchmark.comparison import (
    COLUMNS,
    FEWEST_PAIRS,
    SIGNIFICANT,
    best_row,
    largest,
    paired_difference,
    signed_rank_p,
)
from udeansr.evaluation.scores import METRICS


def test_of_n_pairs_that_all_differ_one_way_p_is_two_to_the_1_minus_n():
    for count in range(1, 9):
        p = signed_rank_p([1.0 + number for number in range(count)])
        assert p == pytest.approx(2.0 ** (1 - count))
        assert (p < SIGNIFICANT) is (count >= FEWEST_PAIRS)


def test_it_knows_no_side():
    differences = [0.3, -0.1, 0.2, 0.7, -0.4, 0.5]
    p = signed_rank_p(differences)
    assert p is not None and 0.05 < p < 1
    assert signed_rank_p([-one for one in differences]) == pytest.approx(p)


def test_where_nothing_differs_p_is_1_and_without_numbers_there_is_none():
    assert signed_rank_p([0.0, 0.0]) == 1.0
    assert signed_rank_p([]) is None and signed_rank_p([1.0, math.nan]) is None
    assert signed_rank_p([0.0, 1.0, 2.0]) == signed_rank_p([1.0, 2.0])
    assert 0 < (signed_rank_p([1.0, 1.0, -1.0, 2.0, 2.0]) or 0) <= 1


def test_every_column_is_a_metric():
    assert all(column.key in METRICS for column in COLUMNS)


def test_the_best_row_has_the_largest_mean_but_is_told_no_secret(result):
    rows = [result("tricubic", 1), result("supervised_measured", 3), result("sinc", math.nan), result("oracle", 9)]
    assert best_row(rows, "psnr_db") is rows[1]
    assert best_row(rows[2:], "psnr_db") is None


def test_the_largest_is_that_of_any_subject_whatever_its_sign(result):
    assert largest(result(shift_voxels=-3.0), "shift_voxels") == 3.0


def test_the_difference_is_taken_subject_by_subject(result):
    udean, other = result("supervised_measured", psnr_db=30.0), result("sinc", psnr_db=27.5)
    assert paired_difference(other, [udean, other]) == pytest.approx(-2.5)
    assert paired_difference(udean, [udean, other]) is None
    assert paired_difference(other, [other]) is None
    fewer = replace(other, cases={"sub-4": other.cases["sub-4"]})
    assert paired_difference(fewer, [udean, fewer]) is None
