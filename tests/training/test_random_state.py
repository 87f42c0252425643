from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from udeansr.training.random_state import random_state, random_state_kept, restore_random_state, seed_everything


def draw() -> list[float]:
    return [random.gauss(0, 1), float(np.random.randn()), float(np.random.rand()), float(torch.randn(1))]


def test_restored_generators_draw_the_same_again(tmp_path) -> None:
    draw()  # an odd number of gaussians, whose second is kept by the generators
    torch.save(random_state(), tmp_path / "state.pt")
    expected = draw()
    draw()
    restore_random_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert draw() == expected


def test_what_runs_inside_leaves_no_trace() -> None:
    seed_everything(3)
    expected = draw()
    seed_everything(3)
    with pytest.raises(RuntimeError), random_state_kept():
        draw()
        raise RuntimeError
    assert draw() == expected


def test_seeds_differ() -> None:
    seed_everything(1)
    one = draw()
    seed_everything(2)
    assert all(a != b for a, b in zip(one, draw(), strict=True))
