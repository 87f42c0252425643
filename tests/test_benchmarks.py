"""Each benchmark starts: what it imports is there, and it says what it measures."""

import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").rglob("*.py"))


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda path: path.stem)
def test_it_says_what_it_measures(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(benchmark), "-h"])
    monkeypatch.syspath_prepend(str(benchmark.parent))  # as Python does for a script
    with pytest.raises(SystemExit) as leaving:
        runpy.run_path(str(benchmark), run_name="__main__")
    assert leaving.value.code == 0
    assert f"usage: {benchmark.name}" in capsys.readouterr().out
