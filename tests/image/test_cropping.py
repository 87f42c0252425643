import numpy as np
import pytest

from udeansr.image.cropping import crop, foreground_box, foreground_mask, high_percentile
from udeansr.image.volume import Geometry, Volume


def head() -> Volume:
    voxels = np.zeros((12, 14, 16), dtype=np.float32)
    voxels[3:7, 4:10, 5:15] = np.random.default_rng(0).uniform(0.5, 1, size=(4, 6, 10))
    return Volume(voxels, Geometry(voxels.shape, (2.0, 1.0, 1.0), (1.0, 2.0, 3.0)))


def test_box_holds_the_foreground_with_its_margin_inside_the_volume():
    voxels = head().voxels + np.random.default_rng(1).uniform(0, 0.05, size=(12, 14, 16))
    assert foreground_box(voxels) == ((3, 4, 5), (4, 6, 10))
    assert foreground_box(voxels, margin=2) == ((1, 2, 3), (8, 10, 13))
    assert foreground_mask(voxels).sum() == 4 * 6 * 10


def test_without_foreground_the_box_is_the_volume():
    assert foreground_box(np.zeros((3, 4, 5))) == ((0, 0, 0), (3, 4, 5))
    assert not foreground_mask(np.full((3, 4, 5), -1.0)).any()


def test_crop_keeps_places_and_voxels():
    volume = head()
    box = foreground_box(volume.voxels)
    part = crop(volume, box)
    assert np.allclose(part.geometry.world_mm((0, 0, 0)), volume.geometry.world_mm((3, 4, 5)))
    assert np.array_equal(part.voxels, volume.voxels[3:7, 4:10, 5:15])


def test_a_box_outside_is_the_callers_mistake():
    with pytest.raises(ValueError, match="reaches out"):
        crop(head(), ((0, 0, 10), (3, 3, 7)))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("percent", [99.9, 99.5, 60.0])
@pytest.mark.parametrize("size", [1, 2, 50, 1000, 30_000])
def test_a_high_percentile_is_numpys(dtype, percent, size):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        voxels = (rng.gamma(0.5, 200, size) * (rng.random(size) < 0.4) - seed).astype(dtype)  # much air, and ties
        assert high_percentile(voxels, percent) == pytest.approx(float(np.percentile(voxels, percent)), rel=1e-6)


def test_a_high_percentile_of_equal_voxels_of_a_bright_end_and_of_no_number():
    assert high_percentile(np.full((10, 10, 10), 7, np.uint16), 99.9) == 7
    bright = np.zeros(97 * 100)
    bright[1::97] = 5.0  # none of the voxels that are looked at first
    assert high_percentile(bright, 99.9) == 5
    bright[1] = np.nan
    assert np.isnan(high_percentile(bright, 99.9))
