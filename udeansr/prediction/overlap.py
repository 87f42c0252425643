"""Reading the next and writing the last while one is worked on. Knows functions and threads; knows no image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")
Made = TypeVar("Made")

Outcome = tuple[Item, Exception | None]
"""An item, and what went wrong with it."""


def overlapped(
    items: Sequence[Item],
    read: Callable[[Item], Read],
    work: Callable[[Item, Read], Made],
    write: Callable[[Item, Made], None],
    is_large: Callable[[Made], bool] = lambda _: False,
) -> Iterator[Outcome[Item]]:
    """Read, work and write for each item, in order: one item is read ahead, one is written behind.

    So at most three items are held at a time. One that fails at any step does not stop the others. What is no
    ``Exception``, such as Ctrl-C, does: the item that is being written is finished, no other begins.

    Args:
        items: any number.
        read: called in a thread of its own.
        work: called in the caller's thread.
        write: called in a thread of its own.
        is_large: whether what was made has to be written before the next is worked on.
    Yields:
        each item once it is written or has failed, in order, with what went wrong or None.
    """
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        ahead = reader.submit(read, items[0]) if items else None
        behind: tuple[Item, Future[None]] | None = None
        for number, item in enumerate(items):
            assert ahead is not None, "each item but the first is read ahead of its turn"
            this, ahead = ahead, None
            this.exception()  # waits, so that only one is read at a time
            if number + 1 < len(items):
                ahead = reader.submit(read, items[number + 1])
            made: list[Made] = []  # none, if something goes wrong
            failure: Exception | None = None
            try:
                made.append(work(item, this.result()))
            except Exception as error:
                failure = error
            del this  # and what was read with it
            if behind is not None:
                yield behind[0], _failure(behind[1])
                behind = None
            if failure is not None:
                yield item, failure
                continue
            waits = is_large(made[0])
            behind = (item, writer.submit(write, item, made.pop()))
            if waits:
                yield item, _failure(behind[1])
                behind = None
        if behind is not None:
            yield behind[0], _failure(behind[1])


def _failure(future: Future) -> Exception | None:
    """Wait for a thread; what went wrong in it."""
    failure = future.exception()
    if failure is not None and not isinstance(failure, Exception):
        raise failure
    return failure
