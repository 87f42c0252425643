"""Many items on several cores (worker processes) or several machines (parts of the work)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TypeVar

from udeansr.errors import UdeansrError
from udeansr.progress import ProgressBar, progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int, description: str
) -> list[Result]:
    """Apply a function to each item, with a progress bar on stderr.

    Workers are spawned, not forked: a fork of a process in which torch or SimpleITK have run threads can stand still
    for good. So the function and the items must be picklable: a function of a module, or a ``functools.partial`` of
    one. The first exception stops the work that has not begun and reaches the caller as it was raised; one out of a
    worker has the worker's own traceback as its ``__cause__``. Ctrl-C stops it in the same way.

    Args:
        function: called with one item.
        items: any number; of none, nothing is shown.
        processes: worker processes; up to 1, or with one item, the work is done in this process.
        description: a word or two before the progress bar.
    Returns: the results, in the order of the items.
    Raises:
        UdeansrError: if a worker was killed, as the system does when memory is short; or whatever the function raises.
    """
    items = list(items)
    processes = min(processes, len(items))
    if not items:
        return []
    with progress_bar(description, len(items)) as bar:
        if processes <= 1:
            return [_counted(function(item), bar) for item in items]
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_begin_worker)
        try:
            futures: list[Future[Result]] = [pool.submit(function, item) for item in items]
            for future in as_completed(futures):
                _counted(future.result(), bar)
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise UdeansrError(
                f"{description}: a worker process was killed, as the system does when memory runs short; end other "
                "programs, or run again with fewer processes: --processes 1, or --workers 0 in training"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def end_with_parent() -> None:
    """Make this worker process end when its parent is killed, so that none is left behind holding memory."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a process that is no worker"

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="end_with_parent", daemon=True).start()


def _begin_worker() -> None:
    # Ctrl-C reaches workers as well; it ends them without a word, the caller has the KeyboardInterrupt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()


def _counted(result: Result, bar: ProgressBar) -> Result:
    bar.update()
    return result


@dataclass(frozen=True)
class Part:
    """Every n-th piece of the work, in the order in which its pieces are named.

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

    def split(self, count: int) -> list[Part]:
        """This part, divided into so many."""
        return [Part(self.count * count, self.number + self.count * number) for number in range(count)]

    def has(self, place: int) -> bool:
        """Whether the piece of work at this place, from 0, is of this part."""
        return place % self.count == self.number


WHOLE = Part()
"""All of the work."""
