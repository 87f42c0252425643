"""What is read from a disk is taken or refused in one line, however one value of it is spoilt."""

import random
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "reliability" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def readers(fuzz, tmp_path_factory):
    return fuzz["readers"](tmp_path_factory.mktemp("fuzz"))


def test_each_reader_takes_what_nobody_spoilt_and_is_spoilt_by_the_seed(fuzz):
    values = {"a": [1, 2.5, "x"], "b": {"c": True}}
    made = [fuzz["spoilt_text"](values, random.Random(5)) for _ in range(2)]
    assert made[0] == made[1] and values == {"a": [1, 2.5, "x"], "b": {"c": True}}
    assert len({fuzz["spoilt_text"](values, random.Random(seed)) for seed in range(50)}) > 30


@pytest.mark.slow
def test_no_spoilt_file_gives_a_traceback(fuzz, readers):
    for name, reader in readers.items():
        draw = random.Random(f"test {name}")
        seen = {fuzz["outcome"](reader, draw) for _ in range(round(150 * reader.share) or 1)}
        assert seen <= {"taken", "refused"}, name


def test_a_fault_is_seen(fuzz):
    def fail(_):
        raise KeyError("x")

    reader = fuzz["Reader"](lambda _: None, fail)
    assert fuzz["outcome"](reader, random.Random(1)).startswith("KeyError")
