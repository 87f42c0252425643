import pytest

from udeansr.benchmark.part import Part
from udeansr.errors import UdeansrError


def test_each_piece_of_work_is_of_one_part_and_parts_are_alike_in_size():
    parts = [Part(3, number) for number in range(3)]
    owners = [[part.number for part in parts if part.has(place)] for place in range(10)]
    assert all(len(owner) == 1 for owner in owners)
    assert sorted(sum(part.has(place) for place in range(10)) for part in parts) == [3, 3, 4]
    assert all(Part().has(place) for place in range(10))


@pytest.mark.parametrize(
    ("count", "number", "message"),
    [
        (0, 0, "--num-parts is 0; expected at least 1"),
        (2, 2, "--part-id is 2; expected 0 to 1, as --num-parts is 2"),
        (2, -1, "--part-id is -1; expected 0 to 1"),
    ],
)
def test_a_part_that_is_none_is_told(count, number, message):
    with pytest.raises(UdeansrError, match=message):
        Part(count, number)
