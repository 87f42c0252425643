"""Ctrl-C and SIGTERM, kept until an iteration is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StoppedError(Exception):
    """Training was asked to stop and has left a checkpoint.

    Attributes:
        exit_status: 128 + the signal's number, as shells count: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, signal_number: int, message: str = "") -> None:
        super().__init__(message or signal.Signals(signal_number).name)
        self.signal_number = signal_number
        self.exit_status = 128 + signal_number

    def __reduce__(self) -> tuple[Any, ...]:
        """It may have to be told to another process."""
        return type(self), (self.signal_number, str(self))


class Interruption:
    """While open, remembers the first SIGINT or SIGTERM; a second one ends the process as it would without this.

    Outside the main thread, where Python takes no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        """Begin to listen."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the former handlers back."""
        self._restore()

    def check(self) -> None:
        """Raise :class:`StoppedError` if a signal came."""
        if self.signal_number is not None:
            raise StoppedError(self.signal_number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        self._restore()
