"""A lock on what only one process may write at a time, on whatever machine: who holds it, since when, does it live.

The lock is the kernel's, on a file (``flock``): it ends with its process, however that ends, and on network file
systems as a rule holds for all machines. In the file stands who holds it, and its time is renewed while the holder
lives, for file systems whose locks reach no other machine, or that have none.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from filelock import lock_descriptor

from udeansr.errors import UdeansrError
from udeansr.files import CHECK_DISK, check_still_at, is_still_at, process_lives, reason_of

LOCK_FILE = ".lock"
"""In a folder that one process at a time may write; it is there while one does, or after one was killed."""

BEAT_SECONDS = 10.0
"""Between two signs of life."""

WATCH_SECONDS = 35.0
"""Without a sign of life from another machine, after which its process is taken for dead."""

OLD_SECONDS = 1800.0
"""Age of the last sign of life at which nobody waits for another; clocks of machines differ less."""

PATIENCE_SECONDS = 3.0
"""For the workers of a process that was killed, which hold its lock until they have ended too."""

_POLL_SECONDS = 0.2

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        host: name of the machine.
        process: its number there.
        since: seconds since 1970.
        boot: of that machine's system, as names of machines are not always their own.
    """

    host: str
    process: int
    since: float
    boot: str = ""

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), time.time(), _boot())

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process of this machine since it was started."""
        return (self.host, self.boot) == (socket.gethostname(), _boot())

    def __str__(self) -> str:
        """The process, its machine, and for how long it has held the lock."""
        begun = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        age = timedelta(seconds=max(0, round(time.time() - self.since)))
        return f"process {self.process} on {self.host}, since {begun} ({age} ago)"


class HeldError(UdeansrError):
    """Another process holds the lock."""


_held: dict[Path, int] = {}
"""The descriptors of the lock files that this process holds."""


@contextmanager
def locked(path: Path, wait: bool = False, what: str = "") -> Iterator[None]:
    """Hold a lock; the lock of a process that is gone is taken over, which is logged.

    Args:
        path: the lock file, made with its folders and removed in the end; folders that were made and are empty too.
        wait: whether to wait for whoever holds it.
        what: is locked, for messages; the file's folder, if nothing is said.
    Raises:
        HeldError: naming who holds it.
        UdeansrError: if the folder cannot be written.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        descriptor = _acquire(path, wait, what or str(path.parent))
    except OSError as error:
        raise UdeansrError(f"{path.parent}: cannot be written ({reason_of(error)}); {CHECK_DISK}") from error
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(descriptor, ended), name="lock", daemon=True)
    beating.start()
    _held[path] = descriptor
    try:
        yield
    finally:
        del _held[path]
        ended.set()
        beating.join()
        with suppress(OSError):
            if is_still_at(path, descriptor):
                path.unlink()  # before it is let go: whoever takes it sees that it is no longer the file of the path
                for folder in made:
                    folder.rmdir()  # those that are empty
        os.close(descriptor)


def check_held(path: Path) -> None:
    """See that the lock file which this process holds is still there, and its folder with it.

    Raises:
        UdeansrError: if it was removed, or another process has it now.
    """
    if path in _held:
        check_still_at(path, _held[path], path.parent)


def _acquire(path: Path, wait: bool, what: str) -> int:
    """The descriptor of the lock file, held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first: _Sight | None = None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            is_free = _lock(descriptor)
            if is_free and not is_still_at(path, descriptor):  # its holder removed it a moment ago
                os.close(descriptor)
                continue
            sight = _Sight.of(descriptor)
            if first is None or sight.holder != first.holder:
                first = sight
                _tell(first, is_free, wait, what)
            if is_free is not False and sight.is_gone(first, is_free):
                if sight.holder is not None:
                    _logger.warning("%s: the lock of %s is taken over, as it is gone", what, sight.holder)
                _sign(path, descriptor)
                return descriptor
            if not wait and sight.is_alive(first):
                raise HeldError(
                    f"{what}: is being written by {sight.holder or 'another process'}; wait for it to end, or "
                    "stop it and give the same command again"
                )
        except BaseException:
            with suppress(OSError):
                os.close(descriptor)
            raise
        os.close(descriptor)
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class _Sight:
    """What was seen of a lock file that may be held.

    Attributes:
        holder: as it stands there; None if nobody, or not yet.
        beat: time of the last sign of life, nanoseconds since 1970.
        at: when this was seen, seconds by the clock of this process.
    """

    holder: Holder | None
    beat: int
    at: float

    @classmethod
    def of(cls, descriptor: int) -> _Sight:
        """What the file says now; read through a descriptor just opened, which a network file system has to renew."""
        try:
            holder = Holder(**json.loads(os.pread(descriptor, 4096, 0)))
        except (ValueError, TypeError):
            holder = None
        return cls(holder, os.fstat(descriptor).st_mtime_ns, time.monotonic())

    def is_gone(self, first: _Sight, is_free: bool | None) -> bool:
        """Whether the holder no longer lives, if the kernel does not say that it does.

        Args:
            first: what was seen of this holder at first.
            is_free: what the kernel says; None where it has no locks.
        """
        if self.holder is None:
            return True
        if self.holder.is_here:
            return bool(is_free) or not process_lives(self.holder.process)
        is_old = time.time() - self.beat / 1e9 > OLD_SECONDS
        return is_old or (self.beat == first.beat and self.at - first.at > WATCH_SECONDS)

    def is_alive(self, first: _Sight) -> bool:
        """Whether it is time to say that the holder lives; argument as for :meth:`is_gone`."""
        if self.holder is None:
            return self.at - first.at > PATIENCE_SECONDS
        if self.holder.is_here:
            return process_lives(self.holder.process) or self.at - first.at > PATIENCE_SECONDS
        return self.beat != first.beat or self.at - first.at > WATCH_SECONDS


def _tell(first: _Sight, is_free: bool | None, wait: bool, what: str) -> None:
    """Say for what it will be waited, if anything."""
    if wait and not (is_free and first.holder is None):
        _logger.info("%s: waiting for %s", what, first.holder or "another process")
    elif first.holder is not None and not first.holder.is_here:
        _logger.info("%s: looking for a sign of life of %s, up to %g s", what, first.holder, WATCH_SECONDS)


def _boot() -> str:
    """A name of this start of the system; the same in all its containers; "" where the system gives none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _lock(descriptor: int) -> bool | None:
    """Whether the kernel gave its lock; None where the file system has none."""
    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        _logger.debug("no lock of the kernel (%s)", error)
        return None


def _sign(path: Path, descriptor: int) -> None:
    """Say who holds the file; on a full disk nothing is left of it."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(Holder.here())).encode(), 0)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _beat(descriptor: int, ended: threading.Event) -> None:
    """Give signs of life until the lock is let go."""
    while not ended.wait(BEAT_SECONDS):
        with suppress(OSError):
            os.utime(descriptor)
