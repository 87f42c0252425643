from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from udeansr.cli.speed import main
from udeansr.planning.plan import Plan
from udeansr.speed import measured_training

CPU = ("--device", "cpu", "--precision", "fp32", "--rounds", 1)


@pytest.fixture(autouse=True)
def dataset(tmp_path, monkeypatch, tiny_configuration, tiny_dataset) -> Path:
    """A preprocessed dataset in the default root of the current folder; two places of a training are timed once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measured_training, "WINDOW_SECONDS", 1e-9)
    monkeypatch.setattr(measured_training, "PROGRESSES", (0.25, 0.75))
    configuration = tiny_configuration("x2x2x1", patch_size=(8, 8), rotate90=True)
    return tiny_dataset(Plan("Dataset001_Tiny", "SPL", 1.0, {"x2x2x1": configuration}))


def ended(monkeypatch, *words: object) -> int:
    """Run the command in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["udeansr_speed", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_it_tells_how_fast_a_training_is_and_writes_the_same_numbers(monkeypatch, capsys, tmp_path) -> None:
    words = ("--method", "udean", "--set", "udean.warm_start=0", "--workers", 1, "--epochs", 4, "-o", "new/speed.json")
    assert ended(monkeypatch, "1", "x2x2x1", *CPU, *words) == 0
    told = capsys.readouterr().out
    numbers = json.loads((tmp_path / "new" / "speed.json").read_text())
    assert "Dataset001_Tiny x2x2x1, udean, batches of 2" in told and "in fp32, 1 workers" in told
    assert f"{1 / numbers['seconds']:.3g} iterations a second" in told
    assert f"{numbers['expected_seconds'] / 60:.1f} minutes for 4 epochs of 1 iterations" in told
    phases = numbers["phases"]
    assert {"load", "copy", "forward", "forward of discriminators", "backward of generators"} < phases.keys()
    assert all(f"  {phase}" in told for phase in phases)
    assert 0 < sum(phases.values()) <= numbers["phases_together"]
    assert numbers["memory_bytes"] > numbers["tensor_bytes"] > 100_000
    assert numbers["flop"] > 0 and numbers["convolution_peak"] > 0 and numbers["matrix_peak"] > 0
    assert not list(tmp_path.rglob("*.pt"))  # nothing is kept


def test_two_settings_are_held_against_each_other(monkeypatch, capsys, tmp_path) -> None:
    compare = ("--compare", "step=plain,precision=bf16", "--rounds", 2, "-o", "compared.json")
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, *compare) == 0
    told = capsys.readouterr().out
    numbers = json.loads((tmp_path / "compared.json").read_text())
    assert told.startswith("as it is: ") and "iterations a second in bf16" in told
    assert "step=plain,precision=bf16 takes " in told and "in 2 rounds in turns)" in told
    ratios = [second / first for first, second in numbers["seconds"]]
    assert numbers["ratios"] == pytest.approx(ratios) and len(ratios) == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("002", "x2x2x1"), "dataset 002"),
        (("001", "x3x3x3"), "x3x3x3"),
        (("001", "x2x2x1", "--method", "tricubic"), "tricubic is not trained on a dataset"),
        (("001", "x2x2x1", "--compare", "fast"), "--compare 'fast' sets nothing"),
        (("001", "x2x2x1", "--workers", -1), "workers"),
    ],
)
def test_a_mistake_is_one_line(words, text, monkeypatch, capsys) -> None:
    assert ended(monkeypatch, *words) == 2
    told = capsys.readouterr().err
    assert text in told and told.count("\n") == 1
