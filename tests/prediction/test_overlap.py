import threading
import time

import pytest

from udeansr.prediction.overlap import overlapped


def test_items_come_in_order_each_once_it_is_written():
    log = []

    def write(item, made):
        time.sleep(0.01)
        log.append((item, made))

    for number, (item, failure) in enumerate(overlapped("abc", str.upper, lambda item, read: item + read, write)):
        assert failure is None and item == "abc"[number] and (item, item + item.upper()) in log
    assert log == [("a", "aA"), ("b", "bB"), ("c", "cC")]
    assert list(overlapped("", str.upper, max, write)) == []


def test_the_next_is_read_and_the_last_is_written_while_one_is_worked_on():
    read_b, write_a = threading.Event(), threading.Event()
    held = threading.Event()

    def read(item):
        if item == "c":
            read_b.set()
        return item

    def work(item, _):
        if item == "b":
            assert read_b.wait(10) and write_a.wait(10)
            held.set()
        return item

    def write(item, _):
        if item == "a":
            write_a.set()
            assert held.wait(10)

    assert [failure for _, failure in overlapped("abc", read, work, write)] == [None] * 3


def test_what_is_large_is_written_before_the_next_is_worked_on():
    written = []

    def work(item, _):
        assert len(written) == "abc".index(item)
        return item

    def write(item, _):
        time.sleep(0.02)
        written.append(item)

    results = list(overlapped("abc", str, work, write, is_large=lambda made: made in "abc"))
    assert results == [("a", None), ("b", None), ("c", None)]


def test_no_more_is_read_than_one_ahead():
    begun = []

    def work(item, _):
        time.sleep(0.02)
        assert begun == list("abcd"[: "abcd".index(item) + 2])

    assert [failure for _, failure in overlapped("abcd", begun.append, work, lambda *_: None)] == [None] * 4


@pytest.mark.parametrize("step", ["read", "work", "write"])
def test_one_that_fails_does_not_stop_the_others(step):
    def failing(name):
        def act(item, *_):
            if name == step and item == "b":
                raise ValueError(name)
            return item

        return act

    results = list(overlapped("abc", failing("read"), failing("work"), failing("write")))
    assert [item for item, _ in results] == ["a", "b", "c"]
    assert [str(failure) for _, failure in results] == ["None", step, "None"]


@pytest.mark.parametrize("step", ["read", "work", "write"])
def test_an_interruption_finishes_what_is_being_written_and_begins_nothing(step):
    written = []

    def interrupted(name):
        def act(item, *_):
            if name == step and item == "b":
                raise KeyboardInterrupt
            if name == "write":
                time.sleep(0.02)
                written.append(item)
            return item

        return act

    with pytest.raises(KeyboardInterrupt):
        list(overlapped("abcd", interrupted("read"), interrupted("work"), interrupted("write")))
    assert written == ["a"]
