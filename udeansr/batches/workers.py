"""Worker processes of a loader: started, watched, ended. Knows processes; knows nothing of what is loaded."""

from __future__ import annotations

import pickle
import signal
import threading
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
    try:
        augmenter.restart()
        # batchgenerators looks after its workers only between two batches, and would wait for ever for the rest of
        # one whose maker was killed.
        processes = list(augmenter._processes)
        threading.Thread(target=_watch, args=(processes, augmenter.abort_event), daemon=True).start()
        while True:
            try:
                item = next(augmenter)
            except RuntimeError as error:
                raise UdeansrError(_obituary(processes)) from error
            if "error" in item:
                raise item["error"]
            yield item
    finally:
        augmenter._finish()


def _watch(processes: list[BaseProcess], abort: Event) -> None:
    """Stop everything as soon as one worker ends, for whatever reason."""
    wait([process.sentinel for process in processes])
    abort.set()


def _obituary(processes: list[BaseProcess]) -> str:
    codes = [process.exitcode for process in processes if process.exitcode]
    how = f"was killed by signal {-codes[0]}" if codes and codes[0] < 0 else "ended unexpectedly"
    return (
        f"a worker process that makes batches {how}; memory ran out, or somebody stopped it; "
        "run again with fewer workers, 0 for none: --workers 0"
    )
