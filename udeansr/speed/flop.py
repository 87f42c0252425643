"""Floating point operations of an iteration, counted without computing anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from udeansr.batches.batch import Batch
from udeansr.methods.method import Method
from udeansr.training.settings import RunSettings
from udeansr.training.train import build_trainer


def flop_of_iteration(method: Method, run: RunSettings, batch: Batch, progresses: Iterable[float]) -> float:
    """The mean over places in a training of the FLOP of convolutions and matrix products, forward and back.

    Args:
        method: as it was built; it loses its weights.
        run: resolved.
        batch: one of its training.
        progresses: parts of the training that are done at these places.
    """
    meta = torch.device("meta")
    trainer = build_trainer(method, replace(run, compile=False), meta, "fp32")
    counts = []
    for iteration, progress in enumerate(progresses):
        method.progress = progress
        with FlopCounterMode(display=False) as counter:
            trainer.play(batch.to(meta), iteration)
        counts.append(counter.get_total_flops())
    return sum(counts) / len(counts)
