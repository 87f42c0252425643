import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.parallel import Part, parallel_map

# What is mapped here comes from modules that a worker can import: a test's own functions might not be found there.


@pytest.mark.parametrize("processes", [0, 1, 2, 3])
def test_results_keep_the_order_of_the_items(processes: int) -> None:
    assert parallel_map(math.factorial, range(12), processes, "roots") == [math.factorial(n) for n in range(12)]


def test_no_items_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    assert parallel_map(math.sqrt, [], 2, "nothing") == []
    assert capfd.readouterr() == ("", "")


def test_a_bar_goes_to_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    parallel_map(math.sqrt, [1, 4], 1, "roots")
    out, error = capsys.readouterr()
    assert out == "" and "roots: 100%" in error and "2/2" in error


def test_the_users_error_stays_the_users_error_and_brings_its_traceback() -> None:
    with pytest.raises(UdeansrError, match="scale 'banana' is not a scale") as caught:
        parallel_map(Scale.parse, ["x2x2x2", "banana", "x2x2x1"], 2, "scales")
    assert 'grid.py", line' in str(caught.value.__cause__)


def test_in_process_an_error_is_the_one_that_was_raised() -> None:
    with pytest.raises(UdeansrError, match="scale 'banana'"):
        parallel_map(Scale.parse, ["banana"], 1, "scales")


def test_the_first_error_cancels_what_has_not_begun() -> None:
    begun = time.monotonic()
    with pytest.raises(ValueError, match="non-negative"):
        parallel_map(time.sleep, [-1.0, *[0.5] * 80], 2, "sleep")
    assert time.monotonic() - begun < 10


def test_a_killed_worker_is_an_error_and_no_hang() -> None:
    with pytest.raises(UdeansrError, match=r"kill: a worker process was killed, .* --processes 1"):
        parallel_map(signal.raise_signal, [signal.SIGKILL, signal.SIGKILL], 2, "kill")


SLEEPING = "import time; from udeansr.parallel import parallel_map; parallel_map(time.sleep, [60, 60], 2, 'sleep')"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs the process table of Linux")
@pytest.mark.parametrize(("how", "to_all"), [(signal.SIGKILL, False), (signal.SIGINT, True)])
def test_no_worker_outlives_its_parent(how: signal.Signals, to_all: bool) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SLEEPING], stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _until(lambda: len(_children(parent.pid)) >= 3)  # two workers and the resource tracker
        time.sleep(0.5)  # for them to begin their work
        workers = _children(parent.pid)
        (os.killpg if to_all else os.kill)(parent.pid, how)
        assert parent.wait(10) != 0
        _until(lambda: not any(_alive(pid) for pid in workers))
    finally:
        parent.kill()
        parent.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _until(happened, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_each_piece_of_work_is_of_one_part_and_parts_are_alike_in_size():
    parts = [Part(3, number) for number in range(3)]
    owners = [[part.number for part in parts if part.has(place)] for place in range(10)]
    assert all(len(owner) == 1 for owner in owners)
    assert sorted(sum(part.has(place) for place in range(10)) for part in parts) == [3, 3, 4]
    assert all(Part().has(place) for place in range(10))


@pytest.mark.parametrize(
    ("count", "number", "message"),
    [
        (0, 0, "--num-parts is 0; expected at least 1"),
        (2, 2, "--part-id is 2; expected 0 to 1, as --num-parts is 2"),
        (2, -1, "--part-id is -1; expected 0 to 1"),
    ],
)
def test_a_part_that_is_none_is_told(count, number, message):
    with pytest.raises(UdeansrError, match=message):
        Part(count, number)


def test_a_part_is_dealt_on_without_a_rest():
    part = Part(3, 1)
    halves = part.split(2)
    for place in range(20):
        assert sum(half.has(place) for half in halves) == part.has(place)
    assert Part().split(1) == [Part()]
