"""Where a volume lies while it is made: in memory or in a file."""

from __future__ import annotations

import logging
import math
import mmap
import os
import tempfile
from pathlib import Path

import numpy as np

from udeansr.errors import UdeansrError

SHARE = 0.25
"""Of the memory that is free: a volume that takes more is laid into a file."""

_GIGABYTE = 1e9
_logger = logging.getLogger(__name__)


class VolumeAllocator:
    """Gives arrays: in memory up to a limit, beyond it in a file of the output folder.

    Such a file has no name, so that nothing of it is left behind, however the program ends. The system writes to it
    what the memory does not hold.

    Args:
        folder: of the output; made when it is needed.
        limit_gb: of all volumes that are made at once, GB; None: a quarter of the memory that is free then.
        volumes: that are made at once, of like size.
    Raises:
        UdeansrError: if the limit is not above 0.
    """

    def __init__(self, folder: Path, limit_gb: float | None = None, volumes: int = 1) -> None:
        if limit_gb is not None and not limit_gb > 0:
            raise UdeansrError(f"--memory-gb {limit_gb:g}: expected a number above 0, or leave it out")
        self._folder, self._limit_gb, self._volumes = folder, limit_gb, volumes

    def allocate(self, shape: tuple[int, int, int], voxel_type: np.dtype) -> np.ndarray:
        """An array of any content.

        Raises:
            UdeansrError: if the disk has no room for it.
        """
        size = math.prod(shape) * voxel_type.itemsize
        limit = self._limit_gb * _GIGABYTE if self._limit_gb is not None else SHARE * free_memory_bytes()
        if size <= limit / self._volumes:
            return np.empty(shape, voxel_type)
        _logger.info("%.1f GB are laid into a file of %s, the memory being short", size / _GIGABYTE, self._folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)  # else a full disk kills the program later on
                else:
                    file.truncate(size)
                return np.frombuffer(mmap.mmap(file.fileno(), size), voxel_type).reshape(shape)
        except OSError as error:
            raise UdeansrError(
                f"{self._folder}: no room for {size / _GIGABYTE:.1f} GB while SR is made ({error.strerror}); free the "
                "disk, or raise --memory-gb"
            ) from error


def free_memory_bytes() -> int:
    """Memory that programs can have without others being pushed out; where the system does not say, all there is."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
