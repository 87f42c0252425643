import numpy as np
import pytest

from udeansr.degradation.kspace import SHIFTED, TRUNCATION, Degradation, degrade
from udeansr.degradation.shift import shift_voxels
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc, tricubic

SCALES = [Scale(2, 2, 2), Scale(1, 2, 2)]


def moved(voxels, shift):
    """The content displaced by a fraction of a voxel, by a phase in k-space."""
    kspace = np.fft.fftn(voxels)
    for axis, size in enumerate(voxels.shape):
        phase = np.exp(-2j * np.pi * np.fft.fftfreq(size) * shift[axis])
        kspace = kspace * phase.reshape([-1 if i == axis else 1 for i in range(3)])
    return np.fft.ifftn(kspace).real


@pytest.mark.parametrize("shift", [(0, 0, 0), (0.05, -0.02, 0.1), (-0.4, 0.7, 0.3)])
@pytest.mark.parametrize("degradation", [TRUNCATION, SHIFTED])
@pytest.mark.parametrize("scale", SCALES)
def test_a_known_shift_is_found_to_a_hundredth_of_a_voxel(random_head, shift, degradation, scale):
    head = np.pad(random_head((72, 72, 72), 2), 4)
    lr = degrade(head, scale, degradation, np.random.default_rng(0))
    assert np.abs(shift_voxels(moved(head, shift), lr, scale) - shift).max() < 0.01


@pytest.mark.parametrize("scale", SCALES)
def test_a_large_shift_in_much_noise_is_found_too(random_head, scale):
    head, shift = np.pad(random_head((56, 60, 64), 2), 4), (2.6, -1.7, 3.2)
    lr = degrade(head, scale, Degradation(apodization=0.4, noise=0.05), np.random.default_rng(0))
    assert np.abs(shift_voxels(moved(head, shift), lr, scale) - shift).max() < 0.05


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("interpolate", [tricubic, sinc])
def test_interpolation_moves_nothing(random_head, interpolate, scale):
    lr = degrade(random_head((48, 52, 64), 3), scale, SHIFTED, np.random.default_rng(0))
    assert np.abs(shift_voxels(interpolate(lr, scale), lr, scale)).max() < 0.01


def test_the_unit_of_intensity_does_not_matter(random_head):
    head = random_head((32, 32, 32), 4)
    lr = degrade(head, Scale(2, 2, 2), SHIFTED, np.random.default_rng(0))
    one, other = (shift_voxels(moved(head, (0.5, 0, 0)), factor * lr, Scale(2, 2, 2)) for factor in (1, 1e-3))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_shapes_that_do_not_fit_are_the_callers_mistake():
    with pytest.raises(ValueError, match="is not"):
        shift_voxels(np.ones((8, 8, 8)), np.ones((8, 4, 4)), Scale(2, 2, 2))
