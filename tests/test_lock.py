import errno
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from udeansr import lock
from udeansr.errors import UdeansrError
from udeansr.lock import HeldError, check_held, locked

HOLD = (
    "import sys, time; from pathlib import Path; from udeansr.lock import locked\n"
    "with locked(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(60)"
)


@contextmanager
def held_by_another(path):
    """A process that holds a lock, until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def sign_of_another_machine(path, seconds_ago: float = 0.0, host: str = "node7") -> None:
    """A lock file of a machine whose locks of the kernel do not reach this one."""
    path.write_text(json.dumps({"host": host, "process": 4711, "since": time.time() - 7200, "boot": "another"}))
    then = time.time() - seconds_ago
    os.utime(path, (then, then))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "run" / ".lock"


def test_it_is_there_while_it_is_held_and_says_who_holds_it(path):
    with locked(path):
        assert json.loads(path.read_text()).items() >= {"host": socket.gethostname(), "process": os.getpid()}.items()
    assert not path.parent.parent.exists()
    path.parent.mkdir(parents=True)
    with locked(path):
        pass
    assert not list(path.parent.iterdir())
    with locked(path):
        (path.parent / "work").touch()
    assert [child.name for child in path.parent.iterdir()] == ["work"]


def test_a_second_process_is_told_in_a_line_who_holds_it(path):
    with held_by_another(path) as process:
        begun = time.monotonic()
        with pytest.raises(HeldError) as error, locked(path):
            pass
        assert time.monotonic() - begun < 2
    line = str(error.value)
    assert line.startswith(f"{path.parent}: is being written by process {process.pid} on {socket.gethostname()}, since")
    assert "ago); wait for it to end, or stop it" in line and "\n" not in line


def test_the_lock_of_a_process_that_was_killed_is_taken_over_and_told(path, caplog):
    with held_by_another(path) as process:
        pass
    assert path.is_file()
    with caplog.at_level(logging.WARNING), locked(path):
        assert json.loads(path.read_text())["process"] == os.getpid()
    assert f"the lock of process {process.pid} on" in caplog.text and "is taken over, as it is gone" in caplog.text
    assert not path.exists()


def test_one_may_wait(path, caplog):
    with held_by_another(path) as process:
        threading.Timer(0.5, process.kill).start()
        with caplog.at_level(logging.INFO), locked(path, wait=True, what="row a"):
            assert process.wait() < 0
    assert caplog.text.count(f"row a: waiting for process {process.pid}") == 1


@pytest.mark.parametrize("seconds_ago", [0, 36000])
def test_another_machine_without_a_sign_of_life_is_taken_for_dead(path, monkeypatch, caplog, seconds_ago):
    monkeypatch.setattr(lock, "WATCH_SECONDS", 0.5 if seconds_ago == 0 else 3600)
    path.parent.mkdir(parents=True)
    sign_of_another_machine(path, seconds_ago)
    with caplog.at_level(logging.INFO), locked(path):
        pass
    assert "run: looking for a sign of life of process 4711 on node7, since" in caplog.text
    assert "the lock of process 4711 on node7, since" in caplog.text and "(2:00:0" in caplog.text


@pytest.mark.parametrize("has_locks", [True, False])
@pytest.mark.parametrize("host", ["node7", socket.gethostname()])
def test_another_machine_with_a_sign_of_life_holds_it(path, monkeypatch, has_locks, host):
    if not has_locks:
        monkeypatch.setattr(lock, "lock_descriptor", without_locks)
    path.parent.mkdir(parents=True)
    sign_of_another_machine(path, 60, host)
    threading.Timer(0.5, os.utime, [path]).start()
    with pytest.raises(HeldError, match=f"process 4711 on {host}"), locked(path):
        pass
    assert json.loads(path.read_text())["boot"] == "another"


def without_locks(_descriptor, *, blocking):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def test_where_the_kernel_has_no_locks_a_process_of_this_machine_is_asked_for(path, monkeypatch):
    monkeypatch.setattr(lock, "lock_descriptor", without_locks)
    with held_by_another(path), pytest.raises(HeldError), locked(path):
        pass
    with locked(path):
        pass
    assert not path.exists()


def test_it_gives_signs_of_life(path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.05)
    with locked(path):
        first = path.stat().st_mtime_ns
        deadline = time.monotonic() + 5
        while path.stat().st_mtime_ns == first and time.monotonic() < deadline:
            time.sleep(0.05)
        assert path.stat().st_mtime_ns > first


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_who_holds_it_finds_out_that_the_folder_is_gone(path, change):
    with locked(path):
        check_held(path)
        path.rename(path.with_name("away"))
        if change == "replaced":
            path.touch()
        with pytest.raises(UdeansrError, match="run: was removed or replaced while it was written"):
            check_held(path)
    assert path.exists() == (change == "replaced")  # it is another's
    assert path.with_name("away").exists()


def test_a_disk_that_is_full_is_told_and_nothing_is_left(path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(lock.os, "pwrite", full)
    with pytest.raises(UdeansrError, match=r"run: cannot be written \(No space left on device\); check the folder"):
        locked(path).__enter__()
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UdeansrError, match=r"file: cannot be written \(.*\)"), locked(tmp_path / "file" / ".lock"):
        pass


COUNT = (
    "import sys, time; from pathlib import Path; from udeansr import lock\n"
    "lock._POLL_SECONDS = 0.001\n"
    "path, number = Path(sys.argv[1]), Path(sys.argv[2])\n"
    "for _ in range(100):\n"
    "    with lock.locked(path, wait=True):\n"
    "        count = int(number.read_text()); time.sleep(0.0005); number.write_text(str(count + 1))\n"
)


@pytest.mark.slow
def test_of_many_that_want_it_one_has_it_at_a_time(path, tmp_path):
    """Each adds 1 to a number that it read before; the file of the lock comes and goes meanwhile."""
    number = tmp_path / "number"
    number.write_text("0")
    path.parent.mkdir(parents=True)
    words = [sys.executable, "-c", COUNT, str(path), str(number)]
    processes = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[1] for process in processes] == [""] * 4
    assert number.read_text() == "400" and not path.exists()
