from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from udeansr.speed import peak

CPU = torch.device("cpu")


@pytest.mark.parametrize("measure", [peak.matrix_peak, peak.convolution_peak])
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_flop_of_what_is_timed_are_those_that_are_computed(measure, precision, dtype, monkeypatch) -> None:
    counted = []

    def one_second(compute, device) -> float:
        with FlopCounterMode(display=False) as counter:
            assert compute().dtype == dtype
        counted.append(counter.get_total_flops())
        return 1.0

    monkeypatch.setattr(peak, "_seconds", one_second)
    assert [measure(CPU, precision)] == counted


def test_the_fastest_round_counts_and_the_first_does_not(monkeypatch) -> None:
    times = iter([0, 1, 10, 15, 20, 22, 30, 39, 40, 44, 50, 58])  # the first takes 1, the fastest of the others 2
    monkeypatch.setattr(peak.time, "perf_counter", lambda: next(times))
    assert peak._seconds(lambda: None, CPU) == 2
