import pytest

from udeansr.cli.options import worker_processes, writing_mode
from udeansr.errors import UdeansrError


def test_what_is_there_is_kept_replaced_or_refused_and_never_both():
    assert [writing_mode(*asked) for asked in ((False, False), (True, False), (False, True))] == [
        "new",
        "continue",
        "overwrite",
    ]
    with pytest.raises(UdeansrError, match=r"--continue .* --overwrite"):
        writing_mode(True, True)


def test_worker_processes_are_as_asked_else_one_a_core_up_to_eight(monkeypatch):
    assert worker_processes(3) == 3
    for cores, expected in ((2, 2), (64, 8), (None, 1)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert worker_processes(None) == expected
