from __future__ import annotations

from dataclasses import replace

import pytest

from udeansr.methods import parse_settings
from udeansr.speed import measured_training
from udeansr.speed.measured_training import Variant
from udeansr.speed.speed import measure_speed, table
from udeansr.training.settings import RunSettings


def test_the_planned_training_is_its_iterations_and_what_comes_after_each_epoch(folder, plan, monkeypatch) -> None:
    monkeypatch.setattr(measured_training, "WINDOW_SECONDS", 1e-9)
    variant = Variant(parse_settings("supervised", []), RunSettings(device="cpu", precision="fp32"))
    found = measure_speed(folder, plan, "x2x2x1", "supervised", variant, rounds=1)
    assert (found.epochs, found.iterations_per_epoch, found.batch_size) == (3, 5, 2)
    known = replace(found, seconds=2.0, seconds_on_device=1.5, seconds_of_validation=7.0, seconds_of_record=1.0)
    assert known.expected_seconds == 15 * 2.0 + 4 * 7.0 + 4 * 1.0
    assert known.waiting == 0.25
    assert replace(known, seconds=1.4).waiting == 0
    known = replace(known, flop=3e9, convolution_peak=6e9, matrix_peak=15e9, memory_bytes=None, tensor_bytes=3 * 2**29)
    told = table(known)
    assert "3 GFLOP an iteration, 1.5 GFLOP a second" in told
    assert "25.0% of 6 measured" in told and "10.0% of 15 measured" in told
    assert "1.0 minutes for 3 epochs of 5 iterations" in told
    assert "unknown at the peak" in told and "1.50 GiB at once" in told
    assert known.as_dict()["expected_seconds"] == pytest.approx(62.0)
