"""A tiny raw dataset: blobs on grids of all orientations, with one validation pair and one test pair."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale, lr_geometry, reorient
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.planning.raw_dataset import RawDataset, load_raw_dataset

SCALE = Scale.parse("x2x2x2")
HR_SHAPE = (24, 44, 40)


@pytest.fixture
def configuration() -> Configuration:
    return Configuration.of(
        name="x2x2x2", scale="x2x2x2", lr_spacing_mm=(2.0, 2.0, 2.0), hr_spacing_mm=(1.0, 1.0, 1.0),
        slab_slices=3, patch_size=(8, 8), rotate90=True, batch_size=2, features=4, groups=1, blocks=1,
        discriminator_features=4, epochs=1, iterations_per_epoch=2,
    )  # fmt: skip


@pytest.fixture
def plan(configuration: Configuration) -> Plan:
    return Plan("Dataset007_Blobs", "SPL", 1.25, {"x2x2x2": configuration})


@dataclass(frozen=True)
class Blobs:
    """Makes volumes of one soft ellipsoid in air, no voxel 0, and says where it lies."""

    scale: Scale = SCALE

    def hr(self, seed: int = 0, spacing_mm: float = 1.0, shape: tuple[int, int, int] = HR_SHAPE) -> Volume:
        rng = np.random.default_rng(seed)
        centre = np.asarray(shape) / 2 + rng.uniform(-2, 2, 3)
        axes = [((np.arange(n) - c) / (0.16 * n)) ** 2 for n, c in zip(shape, centre, strict=True)]
        distance = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
        voxels = 800 * np.exp(-distance) + rng.uniform(1, 4, shape)
        origin = tuple(rng.uniform(-50, 50, 3))
        return Volume(voxels.astype(np.float32), Geometry(shape, (spacing_mm,) * 3, origin))

    def lr(self, hr: Volume) -> Volume:
        return Volume(truncate_kspace(hr.voxels, self.scale), lr_geometry(hr.geometry, self.scale))

    @staticmethod
    def centre_mm(volume: Volume) -> np.ndarray:
        """The centre of mass of what is bright, in the world."""
        weights = np.clip(volume.voxels - 0.1 * volume.voxels.max(), 0, None).astype(np.float64)
        index = [
            np.arange(n).reshape([-1 if i == axis else 1 for i in range(3)]) for axis, n in enumerate(weights.shape)
        ]
        return volume.geometry.world_mm(np.array([(weights * one).sum() for one in index]) / weights.sum())


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


@pytest.fixture
def raw_folder(tmp_path: Path, blobs: Blobs) -> Path:
    """Each volume is stored in an orientation and a format of its own."""
    folder = tmp_path / "raw" / "Dataset007_Blobs"
    save: Callable[[Volume, str], None] = lambda volume, path: write_volume(volume, folder / path)  # noqa: E731
    save(blobs.hr(1), "sourceHR/anna.nii.gz")
    save(reorient(blobs.hr(2), "LIA"), "sourceHR/bert.mha")
    save(blobs.lr(blobs.hr(3)), "targetLR/carl.nrrd")
    save(reorient(blobs.lr(blobs.hr(4)), "PSR"), "targetLR/dora.nii")
    for group, seed in (("validation", 5), ("test", 6)):
        hr = blobs.hr(seed)
        save(blobs.lr(hr), f"{group}LR/emil.nii.gz")
        save(reorient(hr, "RAS"), f"{group}HR/emil.nii.gz")
    return folder


@pytest.fixture
def raw(raw_folder: Path) -> RawDataset:
    return load_raw_dataset(raw_folder)


@pytest.fixture
def changed(plan: Plan) -> Callable[..., Plan]:
    """The plan with other values of its configuration."""

    def change(**values: object) -> Plan:
        configuration = plan.configurations["x2x2x2"].changed(**values)  # type: ignore[arg-type]
        return replace(plan, configurations={"x2x2x2": configuration})

    return change
