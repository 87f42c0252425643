"""A part of a benchmark, for one of several machines. Knows how work is dealt; knows no scenario and no row."""

from __future__ import annotations

from dataclasses import dataclass

from udeansr.errors import UdeansrError


@dataclass(frozen=True)
class Part:
    """Every so manieth piece of work, in the order in which it is named.

    Attributes:
        count: of the parts.
        number: which of them this is, from 0.

    Raises:
        UdeansrError: if there is no such part.
    """

    count: int = 1
    number: int = 0

    def __post_init__(self) -> None:
        """Refuse a part that is none."""
        if self.count < 1:
            raise UdeansrError(f"--num-parts is {self.count}; expected at least 1")
        if not 0 <= self.number < self.count:
            raise UdeansrError(
                f"--part-id is {self.number}; expected 0 to {self.count - 1}, as --num-parts is {self.count}"
            )

    def has(self, place: int) -> bool:
        """Whether the piece of work at this place, from 0, is of this part."""
        return place % self.count == self.number


WHOLE = Part()
"""All of the work."""
