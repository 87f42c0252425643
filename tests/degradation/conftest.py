import numpy as np
import pytest

from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume


@pytest.fixture(scope="session")
def random_head():
    """Draw a "subject": a random field with the power law of anatomy inside a random ellipsoid, air outside."""

    def draw(shape: tuple[int, int, int], seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        frequencies = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij", sparse=True)
        radius = np.sqrt(sum(f**2 for f in frequencies))
        spectrum = np.fft.fftn(rng.standard_normal(shape)) / (radius + 0.02) ** 1.5
        field = np.fft.ifftn(spectrum).real
        field = np.clip(1 + 0.3 * (field - field.mean()) / field.std(), 0.2, None)
        half = [n / 2 * rng.uniform(0.8, 0.9) for n in shape]
        axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij", sparse=True)
        distance = np.sqrt(sum((axis / side) ** 2 for axis, side in zip(axes, half, strict=True)))
        inside = 1 / (1 + np.exp((distance - 1) * min(half) / 0.7))
        return (1000 * field * inside).astype(np.float32)

    return draw


@pytest.fixture
def hr_folder(tmp_path, random_head):
    """HR scans of five subjects, stored LPS-wise as 16 bit integers; sub-2 has two of them."""
    folder = tmp_path / "hr"
    for number, name in enumerate(["sub-1", "sub-2_ses-1", "sub-2_ses-2", "sub-3", "sub-4", "sub-5"]):
        voxels = np.rint(random_head((21, 26, 24), number)).astype(np.uint16)
        geometry = Geometry((21, 26, 24), (2.0, 1.0, 1.25), (float(number), 2.0, 3.0))
        write_volume(Volume(voxels, geometry), folder / f"{name}_T1w.nii.gz")
    return folder
