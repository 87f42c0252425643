import errno
import os

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.inference import memory
from udeansr.inference.memory import VolumeAllocator, free_memory_bytes


def lies_in_a_file(array: np.ndarray) -> bool:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base is not None


def test_small_volumes_lie_in_memory_and_large_ones_in_a_file_that_has_no_name(tmp_path, monkeypatch):
    one_megabyte = (100, 50, 50)
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: 5e6)
    assert not lies_in_a_file(VolumeAllocator(tmp_path / "sr").allocate(one_megabyte, np.dtype(np.float32)))
    assert not (tmp_path / "sr").exists()
    large = VolumeAllocator(tmp_path / "sr").allocate((200, 50, 50), np.dtype(np.float32))
    assert lies_in_a_file(large) and list((tmp_path / "sr").iterdir()) == []
    large[:] = 7
    assert large.flags.writeable and large.dtype == np.float32 and large.mean() == 7


def test_the_limit_is_that_of_all_volumes_together(tmp_path):
    shape = (100, 100, 100)
    assert not lies_in_a_file(VolumeAllocator(tmp_path, 0.0021).allocate(shape, np.dtype(np.int16)))
    assert lies_in_a_file(VolumeAllocator(tmp_path, 0.0021, volumes=2).allocate(shape, np.dtype(np.int16)))
    with pytest.raises(UdeansrError, match="--memory-gb 0: expected a number above 0"):
        VolumeAllocator(tmp_path, 0)


def test_a_disk_without_room_is_told_before_anything_is_made(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UdeansrError, match=r"no room for 1\.0 GB while SR is made \(No space left.*raise --memory-gb"):
        VolumeAllocator(tmp_path, 0.001).allocate((1000, 1000, 500), np.dtype(np.int16))
    assert list(tmp_path.iterdir()) == []


def test_the_system_says_how_much_memory_is_free():
    assert 1e6 < free_memory_bytes() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
