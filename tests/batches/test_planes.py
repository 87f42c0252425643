import numpy as np
import pytest

from udeansr.batches.planes import PlanePairs, planes_of, teaching_axes
from udeansr.degradation.kspace import truncate_kspace
from udeansr.degradation.slice_profile import acquire_slices
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc


@pytest.fixture
def lr():
    return np.random.default_rng(0).random((5, 48, 60)).astype(np.float32)


def test_rows_of_a_pair_are_the_plane_and_the_same_as_slices_are(lr):
    (pair,) = planes_of(lr, (3.0, 1.0, 1.0), 3, 1.0, [1])
    assert np.allclose(pair.hr, lr, atol=1e-5)
    assert np.allclose(pair.lr, acquire_slices(lr, 3, 3.0, axis=1), atol=1e-5)
    (across,) = planes_of(lr, (3.0, 1.0, 1.0), 3, 1.0, [2])
    assert np.allclose(across.hr, lr.transpose(0, 2, 1), atol=1e-5)


def test_a_ratio_that_is_not_whole_is_met_by_the_rows(lr):
    (pair,) = planes_of(lr, (3.3, 1.0, 1.0), 4, 1.0, [1])
    assert pair.hr.shape == (5, 56, 60) and pair.lr.shape == (5, 14, 60)  # 48 mm at 0.825 mm: 58 rows, of which 56


def test_what_blurring_took_of_the_noise_comes_back(lr):
    noise = np.random.default_rng(1).normal(1, 0.1, (5, 96, 96)).astype(np.float32)
    (pair,) = planes_of(noise, (3.0, 1.0, 1.0), 3, 1.0, [1])
    assert np.hypot(pair.lr[:, 2:-2].std(), pair.noise) == pytest.approx(0.1, rel=0.1)


def test_an_axis_that_the_scanner_interpolated_does_not_teach():
    rng = np.random.default_rng(3)
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in (6, 96, 96)), indexing="ij")
    fall = (np.sqrt(sum(f**2 for f in grids)) + 0.02) ** -1.3
    image = np.fft.ifftn(np.fft.fftn(rng.standard_normal((6, 96, 96))) * fall).real.astype(np.float32)
    image -= image.min()
    assert teaching_axes(image, (4.0, 1.0, 1.0)) == (1, 2)
    assert teaching_axes(image, (4.0, 1.0, 1.3)) == (1,)
    filled = sinc(truncate_kspace(image, Scale(1, 1, 2)), Scale(1, 1, 2))
    assert teaching_axes(filled, (4.0, 1.0, 1.0)) == (1,)


def test_a_batch_hangs_on_its_number_and_the_seed_alone(lr):
    planes = planes_of(lr, (3.0, 1.0, 1.0), 3, 1.0, [1, 2])
    one, again, other = (PlanePairs(planes, (8, 12), 3, 4, seed) for seed in (0, 0, 1))
    batch = one.batch(7)
    assert batch.hr.shape == (4, 1, 24, 12) and batch.lr.shape == (4, 1, 8, 12)
    assert batch.hr.equal(again.batch(7).hr) and batch.lr.equal(again.batch(7).lr)
    assert not batch.hr.equal(one.batch(8).hr) and not batch.hr.equal(other.batch(7).hr)


def test_patches_of_a_pair_show_one_place(lr):
    planes = [type(planes_of(lr, (3.0, 1.0, 1.0), 3, 1.0, [1])[0])(lr, acquire_slices(lr, 3, 0.5, axis=1), 0.0)]
    batch = PlanePairs(planes, (8, 12), 3, 16, 0).batch(0)
    middles = batch.hr[:, :, 1::3]
    assert np.allclose(middles.numpy(), batch.lr.numpy(), atol=0.08)


def test_small_planes_give_small_patches_and_air_is_rare():
    image = np.zeros((4, 60, 60), np.float32)
    image[:, :30] = 1
    pairs = PlanePairs(planes_of(image, (3.0, 1.0, 1.0), 3, 1.0, [1]), (24, 8), 3, 64, 0)
    batch = pairs.batch(0)
    assert batch.lr.shape[2:] == (20, 8)
    pairs = PlanePairs(planes_of(image, (3.0, 1.0, 1.0), 3, 1.0, [1]), (4, 8), 3, 64, 0)
    assert (pairs.batch(0).lr.mean((1, 2, 3)) > 0.03).float().mean() > 0.8
