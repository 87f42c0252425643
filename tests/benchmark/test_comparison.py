import math
from dataclasses import replace

import pytest

from udeansr.benchmark.comparison import COLUMNS, best_row, largest, paired_difference
from udeansr.evaluation.scores import METRICS


def test_every_column_is_a_metric():
    assert all(column.key in METRICS for column in COLUMNS)


def test_the_best_row_has_the_largest_mean_but_is_told_no_secret(result):
    rows = [result("tricubic", 1), result("udean", 3), result("sinc", math.nan), result("oracle", 9)]
    assert best_row(rows, "psnr_db") is rows[1]
    assert best_row(rows[2:], "psnr_db") is None


def test_the_largest_is_that_of_any_person_whatever_its_sign(result):
    assert largest(result(shift_voxels=-3.0), "shift_voxels") == 3.0


def test_the_difference_is_taken_person_by_person(result):
    udean, other = result("udean", psnr_db=30.0), result("sinc", psnr_db=27.5)
    assert paired_difference(other, [udean, other]) == pytest.approx(-2.5)
    assert paired_difference(udean, [udean, other]) is None
    assert paired_difference(other, [other]) is None
    fewer = replace(other, cases={"sub-4": other.cases["sub-4"]})
    assert paired_difference(fewer, [udean, fewer]) is None
