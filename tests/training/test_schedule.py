from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udeansr.training.schedule import LAST_LR, cosine_lr


def test_it_begins_at_lr_passes_the_middle_and_ends_at_the_last() -> None:
    assert cosine_lr(0, 30, 1e-4) == pytest.approx(1e-4)
    assert cosine_lr(15, 30, 1e-4) == pytest.approx((1e-4 + LAST_LR) / 2)
    assert cosine_lr(30, 30, 1e-4) == pytest.approx(1e-8)


@given(epochs=st.integers(1, 500), lr=st.floats(1e-7, 1.0))
def test_it_falls_with_every_epoch(epochs: int, lr: float) -> None:
    rates = [cosine_lr(epoch, epochs, lr) for epoch in range(epochs + 1)]
    assert all(later < earlier for earlier, later in pairwise(rates))


def test_each_stage_begins_anew_and_comes_to_its_end() -> None:
    starts = (0.0, 0.3)
    rates = [cosine_lr(epoch, 10, 1e-4, stage_starts=starts) for epoch in range(11)]
    assert rates[0] == rates[3] == pytest.approx(1e-4)
    assert rates[2] < rates[1] < rates[0]
    assert rates[10] == pytest.approx(LAST_LR)
    assert rates[3:] == [pytest.approx(cosine_lr(epoch, 7, 1e-4)) for epoch in range(8)]


@pytest.mark.parametrize("starts", [(0.0, 0.0), (0.0, 1.0)])
def test_a_stage_may_be_empty(starts: tuple[float, ...]) -> None:
    rates = [cosine_lr(epoch, 4, 1e-4, stage_starts=starts) for epoch in range(4)]
    assert rates == [pytest.approx(cosine_lr(epoch, 4, 1e-4)) for epoch in range(4)]
