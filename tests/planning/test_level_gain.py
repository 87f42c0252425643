import numpy as np
import pytest

from udeansr.degradation.kspace import Degradation, degrade
from udeansr.degradation.transfer import MeasuredDegradation
from udeansr.image.files import write_volume
from udeansr.image.grid import reorient
from udeansr.image.normalization import intensity_scale
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.level_gain import GainRequest, level_gain

GRID = CohortGrid("SPL", (2.0, 2.0, 2.0), (1.0, 1.0, 1.0))
FREQUENCIES = tuple((np.arange(16) + 0.5) / 16)
BLUR = tuple(0.6 + 0.4 * np.cos(0.9 * np.pi * np.asarray(FREQUENCIES)))


def measured(*transfer, noise=0.0) -> MeasuredDegradation:
    return MeasuredDegradation(FREQUENCIES, transfer, (2.4, 2.4, 2.4), noise, 1.0, 0.0)


@pytest.fixture
def head() -> np.ndarray:
    """A ball of texture with a bright, thin rim: what blur dims."""
    z, y, x = np.meshgrid(*[np.arange(48) - 23.5] * 3, indexing="ij")
    radius = np.sqrt(z**2 + y**2 + x**2)
    texture = 100 + 10 * np.random.default_rng(0).standard_normal(radius.shape)
    return np.where(radius < 20, texture, np.where(radius < 22, 250, 0)).astype(np.float32)


def test_the_gain_is_that_of_the_true_degradation(head, tmp_path):
    volume = reorient(Volume(head, Geometry(head.shape, (1.0, 1.0, 1.0))), "LAI")
    write_volume(volume, tmp_path / "a.nii.gz")
    found = level_gain(GainRequest(tmp_path / "a.nii.gz", GRID, measured(BLUR, BLUR, BLUR, noise=0.01)))
    lr = degrade(head, GRID.scale, Degradation(apodization=0.4, noise=0.01), np.random.default_rng(1))
    assert found == pytest.approx(intensity_scale(head) / intensity_scale(lr), rel=0.02)
    assert found > 1.1
    again = level_gain(GainRequest(tmp_path / "a.nii.gz", GRID, measured(BLUR, BLUR, BLUR, noise=0.01)))
    assert again == found  # its noise is the same each time
