import pytest

from udeansr.benchmark.row import Row, parse_row
from udeansr.errors import UdeansrError


def test_a_row_of_ones_own_is_a_method_a_degradation_and_what_differs():
    row = parse_row("gentle=udean@truncation:beta=0.001, anchor=no,run.lr=1e-3,run.augment=false")
    assert row == Row(
        "gentle", "gentle", "udean", "truncation", {"beta": 0.001, "anchor": False}, {"lr": 0.001, "augment": False},
        "udean@truncation:beta=0.001, anchor=no,run.lr=1e-3,run.augment=false",
    )  # fmt: skip
    assert parse_row("plain=udean") == Row("plain", "plain", "udean", about="udean")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=udean@blur", "'@blur' is no degradation; expected measured, truncation, variety, true"),
        ("a=magic", "there is no method 'magic'; expected udean"),
        ("a=udean:beat=1", "the method 'udean' has no setting 'beat'; it has"),
        ("a=udean:beta=much", "udean.beta is 'much'; expected a number"),
        ("a=udean:run.rate=1", "a run has no 'rate'; expected epochs, .*lr"),
        ("a=udean:run.lr=fast", "run.lr is 'fast'; expected a number"),
        ("a=udean:run.epochs=1.5", "run.epochs is '1.5'; expected a whole number"),
        ("a=udean:run.augment=maybe", "run.augment is 'maybe'; expected true or false"),
    ],
)
def test_what_is_no_row_is_told(text, message):
    with pytest.raises(UdeansrError, match=message):
        parse_row(text)
