from udeansr.errors import UdeansrError


def test_it_is_caught_apart_from_the_callers_mistakes():
    assert not issubclass(UdeansrError, ValueError)
    assert str(UdeansrError("a: found; expected; do")) == "a: found; expected; do"
