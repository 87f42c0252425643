"""Preprocessed cases of random voxels, as preprocessing would have left them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from udeansr.image.volume import Geometry
from udeansr.planning.configuration import Configuration
from udeansr.preprocessing.case_folder import CaseRecord, write_case
from udeansr.preprocessing.preprocessed_dataset import PreprocessedCase

MakeCase = Callable[..., PreprocessedCase]


def shrunk(voxels: np.ndarray) -> np.ndarray:
    """The mean of each cell of 2 x 2 x 2 voxels: a degradation that can be seen at a glance."""
    z, y, x = (n // 2 for n in voxels.shape)
    return voxels[: 2 * z, : 2 * y, : 2 * x].reshape(z, 2, y, 2, x, 2).mean((1, 3, 5)).astype(np.float32)


@pytest.fixture
def configuration() -> Configuration:
    return Configuration.of(
        name="x2x2x2", scale="x2x2x2", lr_spacing_mm=(2.0, 2.0, 2.0), hr_spacing_mm=(1.0, 1.0, 1.0),
        slab_slices=3, patch_size=(8, 8), rotate90=True, batch_size=3, features=4, groups=1, blocks=1,
        discriminator_features=4, epochs=1, iterations_per_epoch=2,
    )  # fmt: skip


@pytest.fixture
def make_case(tmp_path: Path) -> MakeCase:
    def make(name: str, group: str, voxels: np.ndarray) -> PreprocessedCase:
        folder = tmp_path / group / name
        foreground = np.argwhere(voxels > 0).astype(np.int32)[::7]
        degraded = shrunk(voxels) if group == "sourceHR" else None
        geometry = Geometry(voxels.shape, (1.0, 1.0, 1.0))
        write_case(folder, voxels.astype(np.float32), foreground, CaseRecord(geometry, 1.0, 1.0), degraded)
        return PreprocessedCase(name, group, folder, geometry, 1.0, 1.0, noise=0.0)

    return make


@pytest.fixture
def cohorts(make_case: MakeCase) -> tuple[list[PreprocessedCase], list[PreprocessedCase]]:
    """Three HR and two LR cases; each voxel has a value of its own."""
    rng = np.random.default_rng(0)
    hr = [make_case(f"hr{n}", "sourceHR", rng.uniform(0.1, 1, (14, 24, 20 + n))) for n in range(3)]
    lr = [make_case(f"lr{n}", "targetLR", rng.uniform(0.1, 1, (7, 12, 10 + n))) for n in range(2)]
    return hr, lr
