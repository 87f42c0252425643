from __future__ import annotations

import torch

from udeansr.batches.batch import Batch
from udeansr.methods import build_method, parse_settings
from udeansr.speed.flop import flop_of_iteration
from udeansr.training.settings import RunSettings

FORWARD = 2 * (3 * 3) * (3 * 3) * (2 * 16 * 16)
"""Multiply and add; the window; the channels; the pixels."""


def test_a_convolution_is_counted_as_by_hand(one_convolution, plan) -> None:
    configuration = plan.configuration("x2x2x1")
    method = build_method("one_convolution", configuration, parse_settings("one_convolution", []))
    run = RunSettings().resolved(configuration, one_convolution)
    batch = Batch(hr=torch.rand(2, 3, 16, 16), lr=torch.rand(2, 3, 8, 8))
    assert flop_of_iteration(method, run, batch, (0.1, 0.9)) == 2 * FORWARD  # back to its weights, not to its input


def test_the_stages_of_a_training_are_averaged(plan) -> None:
    configuration = plan.configuration("x2x2x1")
    batch = Batch(hr=torch.rand(2, 3, 16, 16), lr=torch.rand(2, 3, 8, 8), degraded=torch.rand(2, 3, 8, 8))

    def count(*progresses: float) -> float:
        method = build_method("udean", configuration, parse_settings("udean", ["udean.warm_start=0.5"]))
        return flop_of_iteration(method, RunSettings().resolved(configuration, type(method)), batch, progresses)

    alone, judged, mean = count(0.2), count(0.8), count(0.2, 0.8)
    assert alone < judged
    assert mean == (alone + judged) / 2
