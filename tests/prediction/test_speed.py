import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "prediction.py"
TINY = ["--features", "8", "--groups", "1", "--blocks", "1", "--patch", "16"]


def table(*options: str) -> list[list[str]]:
    """The cells of the table that the script prints, without its head."""
    done = subprocess.run([sys.executable, SCRIPT, *options, *TINY], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.slow
def test_speed_and_memory_are_told_of_a_quality():
    rows = table("--short", "--size", "5", "20", "24", "--seconds", "0.05", "--qualities", "fast")
    assert [row[0].split(",")[0] for row in rows] == ["bare passes", "fast"]
    assert all(float(row[1]) >= 0 for row in rows)


@pytest.mark.slow
def test_memory_is_told_of_a_queue():
    (row,) = table("--volumes", "6", "--side", "8")
    assert row[0] == "6" and 0.05 < float(row[2]) <= float(row[5]) + 0.01 and row[4].endswith("%")
