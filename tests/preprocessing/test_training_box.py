from hypothesis import given
from hypothesis import strategies as st

from udeansr.preprocessing.training_box import training_box


@st.composite
def boxes(draw: st.DrawFn) -> tuple:
    multiple = draw(st.tuples(*[st.integers(1, 4)] * 3))
    minimum = tuple(draw(st.integers(1, 6)) * step for step in multiple)
    shape = draw(st.tuples(*[st.integers(1, 40)] * 3))
    start = tuple(draw(st.integers(0, n - 1)) for n in shape)
    extent = tuple(draw(st.integers(1, n - a)) for n, a in zip(shape, start, strict=True))
    return (start, extent), shape, minimum, multiple


@given(boxes())
def test_sides_hold_the_minimum_divide_and_stay_inside_where_they_can(case: tuple) -> None:
    (start, extent), shape, minimum, multiple = case
    starts, sides = training_box((start, extent), shape, minimum, multiple)
    for a, n, first, side, length, least, step in zip(
        start, extent, starts, sides, shape, minimum, multiple, strict=True
    ):
        assert side % step == 0 and side >= least
        if length >= least:
            assert first >= 0 and first + side <= length
        else:
            assert side == least and first <= 0 and first + side >= length
        # Less than a multiple is lost, and only where the volume has no room for it.
        lost = max(first - a, 0) + max(a + n - first - side, 0)
        assert lost < step and (lost == 0 or side + step > length)


def test_a_box_that_fits_is_left_alone() -> None:
    assert training_box(((2, 4, 6), (4, 6, 8)), (20, 20, 20), (4, 4, 4), (2, 2, 2)) == ((2, 4, 6), (4, 6, 8))
