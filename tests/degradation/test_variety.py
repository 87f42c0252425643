from dataclasses import fields

import numpy as np

from udeansr.degradation.kspace import TRUNCATION, Degradation
from udeansr.degradation.variety import PARTIAL_FOURIER, draw_degradation


def draw(count=2000):
    rng = np.random.default_rng(0)
    return [draw_degradation(rng) for _ in range(count)]


def test_a_fifth_is_plain_truncation():
    assert 0.17 < np.mean([one == TRUNCATION for one in draw()]) < 0.23


def test_every_part_of_a_degradation_varies_and_is_left_out_at_times():
    drawn = draw()
    for item in fields(Degradation):
        values = {getattr(one, item.name) for one in drawn}
        assert len(values) > 1, item.name
    harsh = [one for one in drawn if one != TRUNCATION]
    assert {one.partial_fourier for one in harsh} == {1.0, *PARTIAL_FOURIER}
    assert 0.2 < np.mean([one.apodization == 0 for one in harsh]) < 0.3
    assert 0.002 <= min(one.noise for one in harsh) < 0.0025
    assert 0.035 < max(one.noise for one in harsh) <= 0.04


def test_the_same_generator_draws_the_same():
    assert draw(20) == draw(20)
