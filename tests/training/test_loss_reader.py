from __future__ import annotations

import torch

from udeansr.training import loss_reader
from udeansr.training.loss_reader import LossReader


def test_what_was_added_comes_back_in_order_once_and_is_read_in_one_transfer(monkeypatch) -> None:
    reader = LossReader()
    reader.add(3, {"a": torch.tensor(1.0), "b": torch.tensor(2.0)})
    reader.add(4, {"b": torch.tensor(5.0)})  # another stage has other losses
    reader.add(5, {})
    read, tolist = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: read.append(tensor.numel()) or tolist(tensor))
    assert reader.read() == [(3, {"a": 1.0, "b": 2.0}), (4, {"b": 5.0})]
    assert read == [3]
    assert reader.read() == []


def test_it_is_due_after_a_while(monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(loss_reader.time, "monotonic", lambda: now)
    reader = LossReader()
    assert not reader.is_due()
    now += loss_reader.SECONDS_BETWEEN
    assert reader.is_due()
    reader.read()
    assert not reader.is_due()
