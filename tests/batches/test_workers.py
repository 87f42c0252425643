import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchgenerators.dataloading.data_loader import SlimDataLoaderBase

from udeansr.batches.workers import begin_worker, failed_item, from_workers
from udeansr.errors import UdeansrError

pytestmark = pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork", reason="these loaders exist in this file alone"
)


class StubbornError(Exception):
    """Cannot be made again from what it was pickled to."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


class Numbers(SlimDataLoaderBase):
    """Gives its worker's number and process, large enough to fill a pipe; may fail or fall asleep."""

    def __init__(self, workers: int, trouble: str = "") -> None:
        super().__init__(None, 1, workers)
        self.trouble, self.given = trouble, 0

    def set_thread_id(self, thread_id: int) -> None:
        super().set_thread_id(thread_id)
        begin_worker()

    def generate_train_batch(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.given += 1
        if self.given > 2 and self.thread_id == 1:
            try:
                if self.trouble == "error":
                    raise KeyError("left socket")
                if self.trouble == "stubborn":
                    raise StubbornError("left", " shoe")
                if self.trouble == "sleep":
                    time.sleep(60)
            except Exception as error:
                return failed_item(error)
        return {"worker": self.thread_id, "pid": os.getpid(), "much": np.zeros(200_000)}


def none_left() -> bool:
    return not multiprocessing.active_children()


def test_items_come_in_order_and_workers_end_with_the_generator() -> None:
    items = from_workers(Numbers(3), 3)
    assert [next(items)["worker"] for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert len(multiprocessing.active_children()) == 3
    items.close()
    assert none_left()


def test_workers_end_when_the_generator_is_forgotten() -> None:
    items = from_workers(Numbers(2), 2)
    next(items)
    del items
    assert none_left()


def test_a_workers_error_comes_in_its_turn_with_its_traceback() -> None:
    items = from_workers(Numbers(2, "error"), 2)
    assert [next(items)["worker"] for _ in range(5)] == [0, 1, 0, 1, 0]
    with pytest.raises(KeyError, match="left socket") as caught:
        next(items)
    (note,) = caught.value.__notes__
    assert note.startswith("The worker's own traceback:\nTraceback")
    assert 'raise KeyError("left socket")' in note and "in generate_train_batch" in note
    assert none_left()


def test_an_error_that_cannot_travel_comes_as_its_text() -> None:
    items = from_workers(Numbers(2, "stubborn"), 2)
    with pytest.raises(RuntimeError, match=r"^StubbornError: left shoe\nThe worker's own traceback:") as caught:
        for _ in range(6):
            next(items)
    assert 'raise StubbornError("left", " shoe")' in str(caught.value)
    assert none_left()


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("trouble", ["", "sleep"])
def test_a_killed_worker_is_an_error_within_seconds(
    victim: int, trouble: str, capfd: pytest.CaptureFixture[str]
) -> None:
    items = from_workers(Numbers(2, trouble), 2)
    pids = [next(items)["pid"] for _ in range(2)]
    time.sleep(0.3)  # for the workers to stand in the middle of writing an item
    os.kill(pids[victim], signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(UdeansrError) as caught:
        for _ in range(100):
            next(items)
    assert time.monotonic() - begun < 5
    assert str(caught.value) == (
        "a worker process that makes batches was killed by signal 9; memory ran out, or somebody stopped it; "
        "run again with fewer workers, 0 for none: --workers 0"
    )
    assert none_left()
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_takes_the_lock_of_the_event_with_it_stops_nobody() -> None:
    items = from_workers(Numbers(2), 2)
    next(items)
    frame = items.gi_frame
    assert frame is not None
    frame.f_locals["augmenter"].abort_event._cond.acquire()  # as if by a process that is no more
    begun = time.monotonic()
    items.close()
    assert time.monotonic() - begun < 5
    assert none_left()


def test_ctrl_c_is_left_to_the_trainer() -> None:
    items = from_workers(Numbers(2), 2)
    pids = [next(items)["pid"] for _ in range(2)]
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.2)
    assert [next(items)["pid"] for _ in range(10)] == pids * 5
    items.close()


PROGRAM = """
import sys; sys.path.insert(0, {folder!r})
from test_workers import Numbers, from_workers
import time
items = from_workers(Numbers(2), 2)
print(next(items)["pid"], next(items)["pid"], flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs the process table of Linux")
def test_no_worker_outlives_a_killed_trainer() -> None:
    program = PROGRAM.format(folder=str(Path(__file__).parent))
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < end, "a worker is still there"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
