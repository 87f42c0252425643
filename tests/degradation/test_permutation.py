import numpy as np
import pytest

from udeansr.degradation.permutation import permutation_p


def cohort(people, seed, fall=0.0):
    """Log spectra of people who differ in level and a little in every cell; ``fall`` is what a blur takes away."""
    rng = np.random.default_rng(seed)
    cells = np.linspace(0, 1, 5)[:, None, None] + np.zeros((5, 4, 4))
    return [-4 * cells - fall * cells**2 + rng.normal() + 0.3 * rng.standard_normal(cells.shape) for _ in range(people)]


def test_what_is_alike_is_seldom_told_apart():
    found = [permutation_p(cohort(8, 2 * seed), cohort(8, 2 * seed + 1)) for seed in range(60)]
    assert sum(p < 0.05 for p in found) <= 8  # 3 are expected
    assert 0.35 < np.mean(found) < 0.65


def test_a_blur_is_told_apart():
    assert permutation_p(cohort(4, 0), cohort(4, 1, fall=2.0)) == pytest.approx(2 / 70)  # the least there is
    assert permutation_p(cohort(12, 0), cohort(12, 1, fall=2.0)) == pytest.approx(1 / 2000)  # drawn


def test_a_level_of_their_own_is_no_degradation():
    louder = [spectrum + 3 for spectrum in cohort(6, 1)]
    assert permutation_p(cohort(6, 0), louder) == permutation_p(cohort(6, 0), cohort(6, 1)) > 0.05


@pytest.mark.parametrize(("hr", "lr"), [(1, 1), (3, 3), (1, 12)])
def test_a_few_people_cannot_tell(hr, lr):
    assert permutation_p(cohort(hr, 0), cohort(lr, 1, fall=9.0)) is None


def test_empty_cells_are_left_out():
    one, other = cohort(5, 0), cohort(5, 1, fall=2.0)
    one[2][0, 0, 0] = np.nan
    assert permutation_p(one, other) == pytest.approx(2 / 252)
    assert permutation_p([np.full((2, 2, 2), np.nan)] * 5, [np.zeros((2, 2, 2))] * 5) is None
