import math
import re

import pytest
import torch

from udeansr.batches.batch import Batch
from udeansr.errors import UdeansrError
from udeansr.methods import build_method, parse_settings
from udeansr.planning.configuration import Configuration, Task
from udeansr.planning.training_size import CPU
from udeansr.prediction.learning import Remedies, learn
from udeansr.training.trainer import Trainer

REMEDIES = Remedies("buy memory", "go slower")


@pytest.fixture
def trainer():
    torch.manual_seed(0)
    task = Task("x1x1x2", (2.0, 1.0, 1.0), (1.0, 1.0, 1.0), slab_slices=3, rotate90=False)
    settings = parse_settings("self", ["self.features=4", "self.blocks=1"])
    method = build_method("self", Configuration("x1x1x2", task, CPU), settings)
    return Trainer(method, learning_rate=1e-2, device=torch.device("cpu"), precision="fp32", ema_decay=0.5)


def batch(number, value=1.0):
    generator = torch.Generator().manual_seed(number)
    lr = torch.rand(4, 1, 6, 8, generator=generator)
    return Batch(hr=value * lr.repeat_interleave(2, 2), lr=lr)


def test_it_learns_and_ends_ready_to_predict(trainer):
    before = float(trainer.play(batch(0), 0)["network.l1"])
    method = learn(trainer, batch, 60, 1e-2, name="some", remedies=REMEDIES)
    assert not method.training and not any(p.requires_grad for p in method.parameters())
    made = batch(0)
    with torch.inference_mode():
        assert float((method.network(made.lr) - made.hr).abs().mean()) < 0.8 * before
    for name, average in trainer.average.state_dict().items():
        assert torch.equal(method.state_dict()[name], average)


def test_the_rate_rises_then_falls(trainer, monkeypatch):
    rates = []
    monkeypatch.setattr(trainer, "set_learning_rate", rates.append)
    learn(trainer, batch, 24, 1.0, name="some", remedies=REMEDIES)
    assert rates[0] == pytest.approx(0.2, rel=0.01) and max(rates) == rates[4] and rates[-1] < 0.02


def test_a_loss_that_is_no_number_stops_it_with_the_remedy(trainer):
    with pytest.raises(UdeansrError, match=r"iteration 3: .*Predict with --precision fp32, or go slower"):
        learn(trainer, lambda i: batch(i, math.nan if i == 2 else 1.0), 5, 1e-3, name="some", remedies=REMEDIES)


def test_too_little_memory_is_told_with_the_remedy(trainer, monkeypatch):
    def play(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer, "play", play)
    with pytest.raises(UdeansrError, match=re.escape("buy memory")):
        learn(trainer, batch, 5, 1e-3, name="some", remedies=REMEDIES)
