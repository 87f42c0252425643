import pytest

from udeansr.errors import UdeansrError, did_you_mean


def test_it_is_caught_apart_from_the_callers_mistakes():
    assert not issubclass(UdeansrError, ValueError)
    assert str(UdeansrError("a: found; expected; do")) == "a: found; expected; do"


def test_what_would_command_a_terminal_is_written_out():
    error = UdeansrError("a\x1b[2J\r\u202eb\udcff: found\nc: ä, µm, 5 ± 1")
    assert str(error) == r"a\x1b[2J\r\u202eb\udcff: found" + "\nc: ä, µm, 5 ± 1"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("supervized", " (did you mean supervised?)"), ("X2X2X1", " (did you mean x2x2x1?)"), ("magic", "")],
)
def test_the_nearest_known_word_is_offered_and_none_that_is_far(word, expected):
    assert did_you_mean(word, ["supervised", "x2x2x1", "x2x2x2"]) == expected
    assert did_you_mean(word, []) == ""
