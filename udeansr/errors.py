"""The one exception that a user can cause."""

from __future__ import annotations

from collections.abc import Iterable


class UdeansrError(Exception):
    """Something the user can put right.

    The message is one line for each fault: what was found, what was expected, what to do.
    The command line prints it without a traceback and exits with status 2.

    Attributes:
        told: whether another process of the same command prints it.
    """

    told = False

    def __str__(self) -> str:
        """The message; what would command a terminal, in the name of a file for example, is written out."""
        return "".join(
            sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in super().__str__()
        )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that a mistyped one is nearest to, as a part of a sentence with a blank before it; or nothing."""
    from difflib import get_close_matches  # only a mistake has to wait for it

    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""
