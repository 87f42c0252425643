import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool3d

from udeansr.errors import UdeansrError
from udeansr.prediction.zero_shot_pairs import ZeroShotPairs, fitting_patch


def waves(sides: tuple[int, int, int]) -> np.ndarray:
    """So smooth that the means over 2 x 2 x 2 voxels are what truncation gives."""
    grids = np.meshgrid(*(np.arange(n) / n for n in sides), indexing="ij")
    return sum(np.sin(2 * np.pi * (2 * grid + 0.1 * axis)) for axis, grid in enumerate(grids)).astype(np.float32) + 4


@pytest.mark.parametrize("augment", [True, False])
def test_a_pair_shows_one_field_of_view_on_two_grids(augment, tiny_configuration):
    configuration = tiny_configuration(patch_size=(8, 8), turns=True, batch_size=8)
    batch = ZeroShotPairs(waves((24, 32, 36)), configuration, 0, augment).batch(0)
    assert batch.hr.shape == (8, 6, 16, 16) and batch.degraded is not None
    torch.testing.assert_close(avg_pool3d(batch.hr, 2), batch.degraded, atol=0.15, rtol=0)
    assert batch.hr.std() > 0.5  # else all would be close
    assert torch.equal(batch.lr, batch.degraded)


def test_a_batch_hangs_on_the_seed_and_its_number_alone(tiny_configuration):
    lr, configuration = waves((24, 32, 36)), tiny_configuration(patch_size=(8, 8))
    pairs, same, other = (ZeroShotPairs(lr, configuration, seed, augment=True) for seed in (0, 0, 1))
    first, second = pairs.batch(0).hr, pairs.batch(1).hr
    assert torch.equal(same.batch(1).hr, second) and torch.equal(pairs.batch(0).hr, first)
    assert not torch.equal(first, second) and not torch.equal(other.batch(0).hr, first)


def test_sides_need_not_divide_and_foreground_may_lie_in_what_is_left_out(tiny_configuration):
    lr = np.zeros((7, 17, 19), dtype=np.float32)
    lr[6, 16, 18] = 1
    batch = ZeroShotPairs(lr, tiny_configuration(patch_size=(8, 9)), 0, augment=False).batch(0)
    assert batch.hr.shape == (2, 6, 16, 18) and not batch.hr.any()


@pytest.mark.parametrize(
    ("turns", "patch", "shape", "expected"),
    [
        (False, (16, 24), (6, 64, 64), (16, 24)),
        (False, (16, 24), (6, 20, 64), (10, 24)),
        (True, (24, 24), (6, 20, 64), (10, 10)),
        (False, (4, 6), (6, 8, 12), (4, 6)),  # as small as the plan says
    ],
)
def test_patches_shrink_to_what_the_volume_holds(turns, patch, shape, expected, tiny_configuration):
    assert fitting_patch("zssr", tiny_configuration(patch_size=patch, turns=turns), shape) == expected


@pytest.mark.parametrize(
    ("scale", "shape", "message"),
    [
        ("x2x2x2", (7, 19, 15), "7 x 19 x 15 voxels .* degraded once more by x2x2x2; expected at least 6 x 16 x 16. "),
        ("x2x2x2", (5, 19, 17), "5 x 19 x 17 voxels .* expected at least 6 x 16 x 16. Predict it with a trained"),
        ("x3x2x1", (2, 19, 24), r"expected at least 3 x 16 x 24\. .* interpolate: --method sinc --scale x3x2x1$"),
    ],
)
def test_a_volume_that_is_too_small_is_told(scale, shape, message, tiny_configuration):
    with pytest.raises(UdeansrError, match=message):
        fitting_patch("zssr", tiny_configuration(scale), shape)
