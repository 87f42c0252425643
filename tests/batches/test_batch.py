from dataclasses import FrozenInstanceError

import pytest
import torch

from udeansr.batches.batch import Batch


def test_a_moved_batch_has_the_same_slabs_channels_last() -> None:
    batch = Batch(hr=torch.rand(2, 6, 16, 16), lr=torch.rand(2, 3, 8, 8))
    moved = batch.to(torch.device("cpu"))
    for one, other in ((batch.hr, moved.hr), (batch.lr, moved.lr)):
        assert torch.equal(one, other)
        assert other.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_reaches_the_device_it_is_moved_to() -> None:
    batch = Batch(hr=torch.rand(1, 6, 16, 16), lr=torch.rand(1, 3, 8, 8)).to(torch.device("meta"))
    assert batch.hr.device.type == batch.lr.device.type == "meta"


def test_a_batch_is_not_changed_under_a_method() -> None:
    batch = Batch(hr=torch.rand(1, 6, 16, 16), lr=torch.rand(1, 3, 8, 8))
    with pytest.raises(FrozenInstanceError):
        batch.hr = batch.lr  # type: ignore[misc]
