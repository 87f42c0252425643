"""Tiny datasets of noise: 8 x 20 x 20 LR voxels of 3 x 2 x 2 mm, HR twice as fine."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.fingerprint import CohortFacts, Fingerprint

LR_SHAPE, LR_MM = (8, 20, 20), (3.0, 2.0, 2.0)
HR_SHAPE, HR_MM = (16, 40, 40), (1.5, 1.0, 1.0)
HR_ORIGIN = (-0.5, -0.5, -0.75)
"""Where the first HR voxel lies for the field of view of an LR at the world's origin."""


class DatasetFolder:
    """A dataset being written; every image holds the noise of its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, group: str, name: str, voxels: np.ndarray | None = None, **geometry) -> Path:
        """Write an image with what is said of its geometry, the rest as its group has it."""
        low = group.endswith("LR")
        if voxels is None:
            rng = np.random.default_rng(zlib.crc32(f"{group}/{name}".encode()))
            shape = geometry.get("shape", LR_SHAPE if low else HR_SHAPE)
            voxels = rng.integers(400, 1000, shape).astype(np.int16)
        geometry = {
            "spacing_mm": LR_MM if low else HR_MM,
            "origin_mm": (0.0, 0.0, 0.0) if low else HR_ORIGIN,
        } | geometry
        path = self.folder / group / name
        write_volume(Volume(voxels, Geometry(**geometry | {"shape": voxels.shape})), path)
        return path


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    """Two source HR, two target LR and a test pair, without a fault."""
    made = DatasetFolder(tmp_path / "Dataset001_Tiny")
    for number in (1, 2):
        made.write("sourceHR", f"hr{number}.nii.gz")
        made.write("targetLR", f"lr{number}.nii.gz")
    made.write("testLR", "one.nii.gz")
    made.write("testHR", "one.nii.gz")
    return made


@pytest.fixture
def make_fingerprint():
    """Build a fingerprint from what a test cares for."""

    def make(
        lr_spacing_mm=(2.0, 2.0, 2.0),
        hr_spacing_mm=(1.0, 1.0, 1.0),
        smallest=(40, 96, 96),
        blur_x=0.6,
        level_gain=1.05,
        degradation_p=0.001,
        cases=(),
    ) -> Fingerprint:
        cohort = CohortFacts(4, (40, 96, 96), lr_spacing_mm, (10, 50, 99), 0.4, {axis: (0.0, None) for axis in "ZYX"})
        curves = ((1.0, 0.5), (1.0, 0.6), (1.0, blur_x))
        degradation = MeasuredDegradation((0.25, 0.75), curves, (2.4, 2.4, 2.4), 0.01, 1.3, 0.05)
        return Fingerprint(
            "Dataset001_Tiny", "SPL", lr_spacing_mm, hr_spacing_mm, smallest,
            {"sourceHR": cohort, "targetLR": cohort}, degradation, degradation_p, level_gain, cases,
        )  # fmt: skip

    return make
