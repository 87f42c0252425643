from __future__ import annotations

import pytest
import torch

from udeansr.methods import build_method, method_type, parse_settings
from udeansr.planning.training_size import training_memory
from udeansr.speed.live_tensors import LiveTensors, peak_of_iterations
from udeansr.training.settings import RunSettings
from udeansr.training.timing import random_batch
from udeansr.training.train import build_trainer


def test_a_tensor_counts_once_for_as_long_as_somebody_holds_it() -> None:
    with LiveTensors() as live:
        one = torch.zeros(1000)
        view, two = one[10:20], one + 1
        assert (live.live_bytes, live.peak_bytes) == (8000, 8000)
        del one
        assert live.live_bytes == 8000  # the view holds its memory
        del view
        assert (live.live_bytes, live.peak_bytes) == (4000, 8000)
        live.forget_peak()
        two.add_(1)
        assert (live.live_bytes, live.peak_bytes) == (4000, 4000)


def test_what_the_way_back_needs_is_alive_until_it_is_gone() -> None:
    weight = torch.ones(1000, requires_grad=True)
    with LiveTensors() as live:
        loss = (weight * 2).exp().sum()  # exp keeps what it made
        kept = live.live_bytes
        loss.backward()
        del loss
        assert kept == 4004 and live.live_bytes == 4000  # the gradient of the weight


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch_size": 8},
        {"patch_size": (64, 64)},
        {"features": 48},
        {"discriminator_features": 32, "groups": 3},
        {"scale": "x2x2x1", "hr_spacing_mm": (2.0, 1.0, 1.0)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["udean_paper", "udean"])
def test_planning_expects_the_memory_of_an_iteration_within_15_percent(tiny_configuration, changes, name) -> None:
    base = {"patch_size": (32, 32), "batch_size": 4, "features": 24, "groups": 2, "blocks": 2}
    configuration = tiny_configuration().changed(**{**base, "discriminator_features": 16, **changes})
    run = RunSettings().resolved(configuration, method_type(name))

    def begin():
        return build_trainer(
            build_method(name, configuration, parse_settings(name, [])), run, torch.device("cpu"), "bf16"
        )

    _, real = peak_of_iterations(begin, random_batch(configuration), (0.9,))
    planned = training_memory(configuration.task, configuration.size).tensors_gb * 2**30
    assert planned == pytest.approx(real, rel=0.15)
