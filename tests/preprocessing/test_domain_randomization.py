from dataclasses import fields, replace

import numpy as np
import pytest

from udeansr.degradation.kspace import TRUNCATION, Degradation, truncate_kspace
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.planning.domain import Domain, find_domain
from udeansr.preprocessing.domain_randomization import PARTIAL_FOURIER, SCANNERS, degrade_variously, draw_degradation


def draw(count=2000):
    rng = np.random.default_rng(0)
    return [draw_degradation(rng) for _ in range(count)]


def test_a_fifth_is_plain_truncation():
    assert 0.17 < np.mean([one == TRUNCATION for one in draw()]) < 0.23


def test_every_part_of_a_degradation_varies_and_is_left_out_at_times():
    drawn = draw()
    for item in fields(Degradation):
        if item.name.startswith("slice_"):
            continue  # slices are excited or not as the scans are
        values = {getattr(one, item.name) for one in drawn}
        assert len(values) > 1, item.name
    harsh = [one for one in drawn if one != TRUNCATION]
    assert {one.partial_fourier for one in harsh} == {1.0, *PARTIAL_FOURIER}
    assert 0.2 < np.mean([one.apodization == 0 for one in harsh]) < 0.3
    assert 0.002 <= min(one.noise for one in harsh) < 0.0025
    assert 0.035 < max(one.noise for one in harsh) <= 0.04


def test_the_same_generator_draws_the_same():
    assert draw(20) == draw(20)


@pytest.fixture
def domain(blobs) -> Domain:
    subjects = [blobs.hr(seed) for seed in (1, 2, 3)]
    hr = [foreground_spectrum(subject.voxels, blobs.scale) for subject in subjects]
    lr = [foreground_spectrum(blobs.lr(subject).voxels) for subject in subjects]
    return find_domain(hr, lr, (2.0, 2.0, 2.0), None)


def test_lr_of_many_scanners_lies_where_truncation_has_it(blobs, configuration, domain):
    hr = blobs.hr(9).voxels / 800
    made, measured = degrade_variously(hr, configuration, domain, "nina")
    truncated = truncate_kspace(hr, blobs.scale)
    assert made.shape == (SCANNERS, 2, *truncated.shape) and made.dtype == np.float32
    assert len(measured) == SCANNERS
    inside = truncated > 0.3
    for restored, lr in made:
        assert not np.array_equal(restored, lr)
        for image in (restored, lr):
            assert np.corrcoef(image[inside], truncated[inside])[0, 1] > 0.9
            assert image[inside].mean() == pytest.approx(truncated[inside].mean(), rel=0.2)


def test_scanners_differ_and_the_name_decides(blobs, configuration, domain):
    hr = blobs.hr(9).voxels / 800
    made, measured = degrade_variously(hr, configuration, domain, "nina")
    again, _ = degrade_variously(hr, configuration, domain, "nina")
    other, _ = degrade_variously(hr, configuration, domain, "otto")
    assert np.array_equal(made, again)
    assert not np.array_equal(made, other)
    assert len({one.noise for one in measured}) > SCANNERS / 2


def test_it_is_restored_as_measured_not_as_it_truly_was(blobs, configuration, domain):
    hr = blobs.hr(9).voxels / 800
    flat = replace(domain, log_spectrum=tuple(tuple(tuple([3.0] * 16) for _ in range(16)) for _ in range(16)))
    made, _ = degrade_variously(hr, configuration, domain, "nina")
    misled, _ = degrade_variously(hr, configuration, flat, "nina")
    assert np.array_equal(made[:, 1], misled[:, 1])
    assert not np.allclose(made[:, 0], misled[:, 0], atol=1e-3)
