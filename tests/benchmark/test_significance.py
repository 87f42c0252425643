import math

import pytest

from udeansr.benchmark.significance import FEWEST_PAIRS, SIGNIFICANT, signed_rank_p


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
