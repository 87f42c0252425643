"""Two processes that train one model, by the command line, on the CPU."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-c", "from udeansr.cli.train import main; main()")
WORDS = ("1", "x2x2x2", "--device", "cpu", "--precision", "fp32", "--validation-cases", "1")


@pytest.fixture
def start(dataset_folder, tmp_path, monkeypatch):
    """Starts ``udeansr_train``; gives its process."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> subprocess.Popen:
        roots = ("--preprocessed", dataset_folder.parent, "--results", "results")
        return subprocess.Popen(
            [*COMMAND, *WORDS, *map(str, (*roots, *words))],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


@pytest.fixture
def ended(start):
    """Runs ``udeansr_train``; gives its exit status and what it said on both."""

    def run(*words: object) -> tuple[int, str, str]:
        process = start(*words)
        told, warned = process.communicate(timeout=300)
        return process.returncode, told, warned

    return run


def folder(name: str) -> Path:
    return Path("results", "Dataset001_Tiny", "x2x2x2", name)


def curves(name: str) -> list[dict[str, float]]:
    return [json.loads(line)["losses"] for line in (folder(name) / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epochs", "words", "apart"),
    [
        (10, ("supervised",), 1e-3),
        (3, ("udean_paper", "--set", "udean_paper.feature_adaptation=false"), 5e-3),  # it magnifies rounding
    ],
)
def test_two_learn_what_one_learns_of_the_same_batches(ended, epochs, words, apart):
    length = ("--epochs", epochs, "--iterations-per-epoch", 5, "--batch-size", 4, "--method", *words)
    assert ended(*length, "--name", "alone")[0] == 0
    status, told, warned = ended(*length, "--name", "together", "--num-gpus", 2)
    assert status == 0 and told.count("model:") == 1 and warned.count(f"epoch {epochs}/{epochs}") == 1
    one, two = curves("alone"), curves("together")
    assert len(two) == epochs + 1 and two[-1]
    for alone, together in zip(one, two, strict=True):
        assert together == pytest.approx(alone, abs=apart)
    assert {path.name for path in folder("together").iterdir()} == {path.name for path in folder("alone").iterdir()}
    assert json.loads((folder("together") / "run.json").read_text())["computed"]["processes"] == 2
    status, _, warned = ended(*length, "--name", "together", "--num-gpus", 2, "--continue")
    assert status == 0 and "nothing is left to do" in warned


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_stopped_goes_on_as_if_it_had_not_been(start, ended, number, assert_same):
    length = ("--epochs", 3, "--iterations-per-epoch", 150, "--num-gpus", 2)
    assert ended(*length, "--name", "whole")[0] == 0
    process = start(*length, "--name", "stopped")
    metrics = folder("stopped") / "metrics.jsonl"
    while not metrics.is_file() or len(metrics.read_text().splitlines()) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    if number == signal.SIGTERM:
        process.send_signal(number)
    else:
        (child, *_) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), number)
    _, warned = process.communicate(timeout=60)  # it does not hang
    if number == signal.SIGTERM:
        assert process.returncode == 143 and warned.count("go on with the same command and --continue") == 1
    else:
        assert process.returncode == 2 and "was ended by SIGKILL, so training stopped" in warned
        assert "Traceback" not in warned
    assert ended(*length, "--name", "stopped", "--continue")[0] == 0
    assert_same(folder("whole") / "latest.pt", folder("stopped") / "latest.pt", "weights", "averaged", "optimizers")


@pytest.mark.slow
def test_a_mistake_is_told_once(ended):
    status, _, warned = ended("--batch-size", 3, "--num-gpus", 2)
    assert status == 2 and warned.count("a batch of 3 among 2 processes") == 1 and "Traceback" not in warned


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--num-gpus", 2), "this machine has 0 GPUs"),
        (("--no-sync-batchnorm",), "--sync-batchnorm is of several processes"),
    ],
)
def test_what_has_no_effect_is_refused(ended, monkeypatch, words, line):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    device = ("--device", "auto") if "--num-gpus" in words else ()
    status, _, warned = ended(*device, *words)
    assert status == 2 and line in warned and len(warned.strip().splitlines()) == 1
