from __future__ import annotations

import numpy as np
import pytest
import torch

from udeansr import peak_memory
from udeansr.peak_memory import forget_peak, peak_bytes

CPU = torch.device("cpu")
MANY = 200 * 2**20


def test_memory_that_was_taken_and_given_back_is_in_the_peak() -> None:
    forget_peak(CPU)
    before = peak_bytes(CPU)
    if before is None:
        pytest.skip("this system does not say")
    taken = np.ones(before + MANY, np.uint8)  # so much that it shows where the peak cannot be forgotten
    del taken
    assert peak_bytes(CPU) > before + MANY / 2
    try:
        peak_memory._CLEAR.write_text("5")
    except OSError:
        return
    forget_peak(CPU)
    assert peak_bytes(CPU) < before + MANY


def test_a_system_that_forgets_nothing_says_the_peak_of_the_process(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(peak_memory, "_CLEAR", tmp_path / "none" / "at all")
    forget_peak(CPU)
    pytest.importorskip("resource")
    assert peak_bytes(CPU) > 20 * 2**20
