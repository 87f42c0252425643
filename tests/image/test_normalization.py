import numpy as np
import pytest

from udeansr.image.normalization import denormalize, intensity_scale, normalize


def test_scale_is_the_percentile_of_the_foreground_whatever_the_air():
    rng = np.random.default_rng(0)
    head = rng.uniform(500, 1000, size=(20, 20, 20))
    aired = np.pad(head, 5)
    assert intensity_scale(head) == pytest.approx(np.percentile(head, 99.5))
    assert intensity_scale(aired) == pytest.approx(intensity_scale(head))


def test_a_volume_without_signal_has_no_scale():
    with pytest.raises(ValueError, match="no voxel is positive"):
        intensity_scale(np.zeros((3, 3, 3)))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.int32, np.float32, np.float64])
def test_there_and_back_is_the_identity(dtype):
    voxels = np.arange(125).reshape(5, 5, 5).astype(dtype)
    restored = denormalize(normalize(voxels, 97.3), 97.3, np.dtype(dtype))
    assert restored.dtype == dtype
    assert np.allclose(restored, voxels, atol=0 if np.issubdtype(dtype, np.integer) else 1e-4)


def test_integers_are_rounded_and_clipped():
    assert denormalize(np.array([-0.2, 0.249, 0.251, 3.0]), 100, np.dtype(np.uint8)).tolist() == [0, 25, 25, 255]
    assert denormalize(np.array([1e9]), 100, np.dtype(np.int32)).tolist() == [2**31 - 1]
    assert denormalize(np.array([0.256]), 100).dtype == np.float32
