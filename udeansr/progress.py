"""Progress bars: a bar at a terminal, a line a minute in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

ProgressBar = tqdm
"""Has ``update``, ``total``, ``n`` and ``set_postfix_str``."""

LOG_SECONDS = 60.0
"""Between two lines where standard error is no terminal: a file, a pipe, the log of a queue."""

_TERMINAL_SECONDS = 0.5
_LOG_FORMAT = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


def progress_bar(
    description: str,
    total: int | None = None,
    *,
    unit: str = "it",
    initial: int = 0,
    leave: bool = True,
    delay: float = 0.0,
    shown: bool = True,
) -> ProgressBar:
    """A progress bar on standard error, for long work; a context manager on which to call ``update``.

    Args:
        description: a word or two before the bar.
        total: steps there will be; None where that is known later only (set ``total`` then).
        unit: what one step is.
        initial: steps that are done already.
        leave: whether the finished bar stays.
        delay: seconds before the bar is shown, so that short work shows none.
        shown: whether there is any bar.
    """
    options: dict[str, Any] = {"desc": description, "total": total, "unit": unit, "initial": initial, "leave": leave}
    options["disable"] = not shown
    if sys.stderr.isatty():
        return tqdm(**options, delay=delay, mininterval=_TERMINAL_SECONDS)
    return _LogLines(**options, delay=LOG_SECONDS, mininterval=LOG_SECONDS, miniters=1, bar_format=_LOG_FORMAT)


class _LogLines(tqdm):
    """A bar that ends each of its states by a new line, and gives one a minute, however often it is asked."""

    _last_line = 0.0

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Write the state, if the last one was written long enough ago."""
        now = time.time()
        if msg is None and now - max(self._last_line, self.start_t) >= LOG_SECONDS:
            self._last_line = now
            self._write_line()

    def _write_line(self) -> None:
        self.fp.write(f"{self}\n")
        self.fp.flush()

    def clear(self, nolock: bool = False) -> None:
        """Nothing: a line of a log stays. (Called when a message is logged beside the bar.)"""

    def close(self) -> None:
        """Say where it ended, if it was long enough to have said anything, and stays."""
        if not self.disable and self.leave and self._last_line:
            self._write_line()
        self.leave, self.delay = False, float("inf")  # nothing for tqdm to clear
        super().close()
