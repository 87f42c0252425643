import numpy as np
import pytest

from udeansr.degradation.kspace import truncate_kspace
from udeansr.image.files import read_volume
from udeansr.image.resampling import sinc
from udeansr.report.pair import Pair, make_pair
from udeansr.report.support import DOUBTED, measure_support


@pytest.fixture(scope="module")
def pair(case) -> Pair:
    return make_pair(read_volume(case["lr"]), read_volume(case["sr"]))


def changed(pair: Pair, sr: np.ndarray) -> Pair:
    return Pair(pair.lr, sr.astype(np.float32), pair.scale, pair.geometry, pair.level)


@pytest.fixture(scope="module")
def place(pair) -> tuple[slice, slice, slice]:
    """A box of LR voxels in the middle of the foreground."""
    middle = np.argwhere(measure_support(pair).foreground).mean(0).astype(int)
    return tuple(slice(int(at) - 2, int(at) + 3) for at in middle)


def fine(place):
    return tuple(slice(2 * part.start, 2 * part.stop) for part in place)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_the_lr_denies_is_found_where_it_is_with_its_sign(pair, place, sign):
    wrong = pair.sr.copy()
    wrong[fine(place)] += sign * 0.3
    found = measure_support(changed(pair, wrong))
    assert sign * found.contradiction[place].mean() > DOUBTED
    assert found.doubt[place].mean() > 5 * np.median(found.doubt[found.foreground])
    assert found.doubted_part > measure_support(pair).doubted_part


def test_detail_that_the_lr_cannot_deny_is_found_where_it_is(pair, place):
    noise = np.zeros_like(pair.sr)
    noise[fine(place)] = np.random.default_rng(0).standard_normal(noise[fine(place)].shape)
    noise -= sinc(truncate_kspace(noise, pair.scale), pair.scale)
    found = measure_support(changed(pair, pair.sr + 0.15 * noise))
    before = measure_support(pair)
    inner = tuple(slice(part.start + 1, part.stop - 1) for part in place)
    assert found.added[inner].min() > 2 and found.added[inner].mean() > before.added[inner].mean() + 2
    assert np.abs(found.contradiction[inner]).max() < DOUBTED


def test_air_is_not_doubted_and_a_right_sr_hardly(pair):
    found = measure_support(pair)
    assert np.all(found.doubt[~found.foreground] == 0)
    assert found.doubted_part < 0.01
