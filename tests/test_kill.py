"""Commands that are killed at any moment lose nothing: the same command goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "reliability" / "kill.py"
STAGES = ("simulate", "plan", "preprocess", "train", "train_in_stages", "export", "predict", "benchmark")


@pytest.mark.slow
def test_killed_anywhere_the_same_command_makes_what_an_undisturbed_one_makes(tmp_path):
    words = ["--stage", ",".join(STAGES), "--kills", "2", "-o", str(tmp_path)]
    done = subprocess.run([sys.executable, str(SCRIPT), *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rounds = json.loads((tmp_path / "kills.json").read_text())
    assert set(rounds) == set(STAGES) and all(len(one) == 2 for one in rounds.values())


@pytest.mark.slow
def test_the_harness_finds_what_a_fault_leaves(tmp_path):
    """A training that begins again instead of going on, and a file that is left behind, are told."""
    program = (
        "import runpy, sys, dataclasses, pathlib\n"
        f"sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import kill\n"
        "words = lambda setup, run: [*kill._export(setup, run)]\n"
        "kill.STAGES['export'] = kill.Stage(words, again=('--float32',))\n"
        "names = kill.made_names\n"
        "kill.made_names = lambda run: [*names(run), '.model.1.partial.zip']\n"
        f"sys.argv = ['kill.py', '--stage', 'export', '--kills', '1', '-o', {str(tmp_path)!r}]\n"
        "kill.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    (round_,) = json.loads((tmp_path / "kills.json").read_text())["export"]
    assert round_["faults"] == [".model.1.partial.zip was left behind", "model.zip is another"]
