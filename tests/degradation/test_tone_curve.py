import numpy as np
import pytest

from udeansr.degradation.tone_curve import NODES, ToneCurve, find_tone, intensity_sample, toned
from udeansr.image.normalization import intensity_scale
from udeansr.image.volume import Geometry, Volume

PLACES = np.linspace(0, 1, NODES)


def curve(of) -> ToneCurve:
    return ToneCurve(tuple(of(PLACES)))


GAMMA = curve(lambda x: x**0.75)
SATURATED = curve(lambda x: (1 - np.exp(-2 * x)) / (1 - np.exp(-2)))


def head(number: int) -> np.ndarray:
    """A ball of two tissues and fluid, each of its own spread, in noisy air; no two subjects have as much of each."""
    rng = np.random.default_rng(number)
    z, y, x = np.meshgrid(*[np.arange(32) - 15.5] * 3, indexing="ij")
    shares = rng.dirichlet((100, 400, 500))
    levels = rng.choice([0.25, 0.6, 0.9], z.shape, p=shares) + 0.03 * rng.standard_normal(z.shape)
    air = 0.004 * np.abs(rng.standard_normal(z.shape))
    return 300 * np.where(z**2 + y**2 + x**2 < 200, np.maximum(levels, 0.17), air)


@pytest.mark.parametrize(
    "values", [(0.0, 1.0), (*PLACES[:-1], 0.9), (0.1, *PLACES[1:]), (0.0, 0.5, 0.4, *np.linspace(0.5, 1, NODES - 3))]
)
def test_what_is_no_curve_is_refused(values):
    with pytest.raises(ValueError, match="a tone curve has 17 values that never fall"):
        ToneCurve(tuple(values))


def test_a_curve_is_smooth_and_goes_on_straight():
    mapped = GAMMA(np.array([0.0, 0.3, 1.0, 2.0, -0.1]))
    np.testing.assert_allclose(mapped[:3], [0, 0.3**0.75, 1], atol=2e-3)
    assert mapped[3] == pytest.approx(1 + 0.76, abs=0.02) and mapped[4] < 0
    np.testing.assert_allclose(curve(lambda x: x)(np.linspace(-1, 3, 9)), np.linspace(-1, 3, 9), atol=1e-6)
    assert (np.diff(SATURATED(np.linspace(0, 3, 400))) > 0).all()


def test_one_curve_goes_after_another():
    both = SATURATED.after(GAMMA)
    np.testing.assert_allclose(both(PLACES), SATURATED(GAMMA(PLACES)), atol=5e-3)
    assert GAMMA.after(None) is GAMMA


def test_a_volume_keeps_its_level_in_another_contrast():
    volume = Volume(head(0), Geometry((32, 32, 32), (1.0, 1.0, 1.0)))
    assert toned(volume, None) is volume
    changed = toned(volume, GAMMA)
    unit = intensity_scale(volume.voxels)
    assert intensity_scale(changed.voxels) == pytest.approx(unit, rel=2e-3)
    np.testing.assert_allclose(changed.voxels / unit, GAMMA(volume.voxels / unit), rtol=1e-4)


@pytest.mark.parametrize("true", [GAMMA, SATURATED, curve(lambda x: x**1.4)])
def test_the_curve_between_two_cohorts_is_found(true):
    hr = [intensity_sample(head(number)) for number in range(8)]
    lr = [intensity_sample(toned_head(number, true)) for number in range(8, 16)]
    found, p, apart = find_tone(hr, lr)
    assert p is not None and p < 0.01 and apart > 0.03
    tissues = np.array([0.25, 0.6, 0.9])
    np.testing.assert_allclose(found(tissues), true(tissues), atol=0.04)


def toned_head(number: int, tone: ToneCurve) -> np.ndarray:
    return toned(Volume(head(number), Geometry((32, 32, 32), (1.0, 1.0, 1.0))), tone).voxels


def test_what_is_left_is_found_after_a_first_curve():
    nearly = curve(lambda x: x**0.85)
    hr = [intensity_sample(toned_head(number, nearly)) for number in range(8)]
    lr = [intensity_sample(toned_head(number, GAMMA)) for number in range(8, 16)]
    found, _, apart = find_tone(hr, lr, nearly)
    tissues = np.array([0.25, 0.6, 0.9])
    np.testing.assert_allclose(found(tissues), GAMMA(tissues), atol=0.04)
    assert apart < 0.05


def test_cohorts_of_one_contrast_differ_by_chance():
    p = [
        find_tone(*([intensity_sample(head(8 * part + number)) for number in range(4)] for part in (seed, seed + 50)))[
            1
        ]
        for seed in range(12)
    ]
    assert sum(one < 0.05 for one in p if one is not None) <= 2
    assert find_tone([intensity_sample(head(1))], [intensity_sample(head(2))])[1] is None


def test_a_volume_without_signal_has_no_sample():
    with pytest.raises(ValueError, match="no voxel is positive"):
        intensity_sample(np.zeros((4, 4, 4)))
