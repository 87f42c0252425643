"""Worker processes of a loader: started, watched, ended. Knows processes; knows nothing of what is loaded."""

from __future__ import annotations

import pickle
import signal
import threading
import time
import traceback
from collections.abc import Generator
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

from batchgenerators.dataloading.data_loader import SlimDataLoaderBase
from batchgenerators.dataloading.multi_threaded_augmenter import MultiThreadedAugmenter

from udeansr.errors import UdeansrError
from udeansr.parallel import end_with_parent

_CACHED = 2
"""Batches that a worker makes ahead."""

_GRACE_SECONDS = 0.3
"""What workers have to end by themselves. They look at the event that tells them so every 0.02 s, under its lock; one
that is killed meanwhile takes the lock with it, and whoever sets the event next waits for ever.
"""


def begin_worker() -> None:
    """Make this process a good worker; to be called in it, from a loader's ``set_thread_id``."""
    # A forked worker has the trainer's handlers. Ctrl-C is for the trainer to answer, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()


def failed_item(error: Exception) -> dict[str, Any]:
    """What a worker's loader gives in place of a batch when it fails, so that the error takes the batch's way."""
    error.add_note(f"The worker's own traceback:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        # Some exceptions cannot go to another process as they are; their text can.
        return {"error": RuntimeError("\n".join([f"{type(error).__name__}: {error}", *error.__notes__]))}
    return {"error": error}


def from_workers(loader: SlimDataLoaderBase, workers: int) -> Generator[dict[str, Any], None, None]:
    """The items of a loader in their order, made by workers that end with this generator.

    Args:
        loader: worker k is told its number by ``set_thread_id(k)`` and makes items k, k + workers, ...
        workers: how many processes.
    Raises:
        UdeansrError: if a worker was killed.
        Exception: the one in a :func:`failed_item`.
    """
    augmenter: Any = MultiThreadedAugmenter(loader, None, workers, num_cached_per_queue=_CACHED)
    augmenter.restart()
    team = _Team(augmenter._processes, augmenter.pin_memory_thread, augmenter.abort_event)
    # Of a worker that was killed while it wrote an item, batchgenerators would wait for the rest for ever. It does not
    # if nobody is left who could write the rest: not this process, and not the other workers, which are killed too.
    for queue in augmenter._queues:
        queue._writer.close()
    threading.Thread(target=team.watch, daemon=True).start()
    try:
        while True:
            try:
                item = next(augmenter)
            except RuntimeError as error:
                raise UdeansrError(team.obituary()) from error
            if "error" in item:
                raise item["error"]
            yield item
    finally:
        team.end()
        augmenter.abort_event = threading.Event()  # that of the workers may be locked for ever, see _GRACE_SECONDS
        augmenter._finish(timeout=_GRACE_SECONDS)


class _Team:
    """The workers of one generator and the thread that collects from them.

    Workers only read, so that they can be killed at any time.
    """

    def __init__(self, workers: list[BaseProcess], collector: threading.Thread, abort: Event) -> None:
        self._workers, self._collector, self._abort = list(workers), collector, abort
        self._first_to_end: list[BaseProcess] = []
        self._told_to_end = False
        # A thread prints what it dies of; the collector would print a traceback before each obituary. And if it died of
        # something else, the generator would wait for it for ever.
        self._collector._invoke_excepthook = lambda _: abort.set()  # type: ignore[attr-defined]

    def watch(self) -> None:
        """Wait until a worker ends; if it was not told to, end all of them."""
        ended = wait([worker.sentinel for worker in self._workers])
        if self._told_to_end:
            return
        self._first_to_end = [worker for worker in self._workers if worker.sentinel in ended]
        for worker in self._first_to_end:
            worker.join(1)
        self.end()

    def end(self) -> None:
        """End all workers: tell them and the collector that it is over, then kill those who do not hear."""
        self._told_to_end = True
        telling = threading.Thread(target=self._abort.set, daemon=True)
        telling.start()
        telling.join(1)
        self._collector.join(0.5)
        end = time.monotonic() + _GRACE_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, end - time.monotonic()))
        for worker in self._workers:
            worker.kill()

    def obituary(self) -> str:
        """Why there are no more items."""
        codes = [worker.exitcode for worker in self._first_to_end or self._workers if worker.exitcode]
        how = f"was killed by signal {-codes[0]}" if codes and codes[0] < 0 else "ended by itself"
        return (
            f"a worker process that makes batches {how}; memory ran out, or somebody stopped it; "
            "run again with fewer workers, 0 for none: --workers 0"
        )
