from __future__ import annotations

import os
import signal
import threading

import pytest

from udeansr.training.interruption import Interruption, StoppedError


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_waits_until_it_is_asked_for(number, status) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        interruption.check()
        os.kill(os.getpid(), number)
        assert interruption.signal_number == number
        assert signal.getsignal(number) == before, "a second signal ends the process"
        with pytest.raises(StoppedError) as stop:
            interruption.check()
    assert stop.value.exit_status == status
    assert signal.getsignal(number) == before


def test_former_handlers_come_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError), Interruption():
        assert signal.getsignal(signal.SIGINT) != before
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) == before


def test_outside_the_main_thread_it_does_nothing() -> None:
    errors = []

    def use() -> None:
        try:
            with Interruption() as interruption:
                interruption.check()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert errors == []
