"""Nothing leaves the machine: planning, training, prediction and the page of a run open no socket to a network."""

import json
import socket
import sys
from importlib import import_module
from pathlib import Path

import pytest

RAW = Path(__file__).parents[1] / "udeansr_raw_example"
LENGTH = ("--epochs", "1", "--iterations-per-epoch", "2", "--batch-size", "2")


@pytest.fixture
def asked(monkeypatch):
    """The addresses that were asked for, of which none is reached."""
    wanted: list[object] = []
    make = socket.socket

    def guarded(family=socket.AF_INET, *arguments, **options):
        if family in (socket.AF_INET, socket.AF_INET6, -1):
            wanted.append(family)
            raise OSError("no network here")
        return make(family, *arguments, **options)

    def look_up(host, *_arguments, **_options):
        wanted.append(host)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "socket", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return wanted


def run(monkeypatch, command: str, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"udeansr_{command}", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        import_module(f"udeansr.cli.{command}").main()
    assert not left.value.code


def test_the_guard_sees_who_asks(asked):
    with pytest.raises(OSError, match="no network here"):
        socket.create_connection(("127.0.0.1", 9))
    with pytest.raises(OSError, match="no network here"):
        socket.socket()
    assert len(asked) == 2


@pytest.mark.slow
def test_no_command_asks_the_network(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "plan_and_preprocess", "-d", "001", "--memory-gb", 0, "--processes", 1, "--raw", RAW)
    run(monkeypatch, "train", "001", "x2x2x2", *LENGTH, "--device", "cpu")
    lr = RAW / "Dataset001_BrainT1w" / "testLR"
    run(monkeypatch, "predict", "-i", lr, "-o", "sr", "-d", "001", "--json", "--report", "--device", "cpu")
    assert not asked
    assert json.loads(next(Path("sr").glob("*.json")).read_text())
