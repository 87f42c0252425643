from functools import partial

import numpy as np
import pytest

from udeansr.degradation.kspace import Degradation, degrade, truncate_kspace
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale
from udeansr.planning.domain import Domain, find_domain, mean_transfer
from udeansr.strict_json import as_json, from_json

SCALE = Scale(1, 2, 2)
SPACING_MM = (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def subject(textured_head):
    return partial(textured_head, shape=(24, 64, 64), extent=0.9, level=1.0, contrast=0.3)


@pytest.fixture(scope="module")
def subjects(subject):
    return [foreground_spectrum(subject(seed), SCALE) for seed in range(6)]


@pytest.fixture(scope="module")
def domain(subjects, subject):
    lr = [foreground_spectrum(np.abs(truncate_kspace(subject(seed), SCALE))) for seed in (10, 11)]
    return find_domain(subjects, lr, SPACING_MM, "T1w")


def test_a_domain_tells_of_its_subjects(domain, subjects):
    assert (domain.contrast, domain.subjects) == ("T1w", 6)
    assert domain.spectrum.shape == (16, 16, 16)
    known = np.isfinite(np.mean(subjects, axis=0))
    assert known.mean() > 0.5
    assert np.allclose(domain.spectrum[known], np.mean(subjects, axis=0)[known], atol=0.002)
    assert 0 < domain.residual < 0.5
    assert all(0.7 < edge <= 1 for edge in domain.lowest_transfer)


def test_one_lr_is_enough_to_measure_a_scanner(domain, subject):
    scanner = Degradation(apodization=0.4, noise=0.03)
    measured = domain.measure(degrade(subject(20), SCALE, scanner, np.random.default_rng(0)), SPACING_MM)
    for axis in range(3):
        true = scanner.transfer(np.array(measured.frequencies), axis)
        assert np.abs(np.array(measured.transfer[axis]) - true)[:12].max() < 0.12
    clean = domain.measure(np.abs(truncate_kspace(subject(20), SCALE)), SPACING_MM)
    assert all(np.mean(clean.transfer[axis]) > np.mean(measured.transfer[axis]) + 0.1 for axis in range(3))


def test_limits_are_the_most_that_was_seen(domain, subject):
    seen = [
        domain.measure(degrade(subject(seed), SCALE, scanner, np.random.default_rng(0)), SPACING_MM)
        for seed, scanner in ((20, Degradation(apodization=0.45)), (21, Degradation(noise=0.1)))
    ]
    wide = domain.widened(seen)
    assert wide.noise == max(one.noise for one in seen)
    low, high = sorted(one.residual for one in seen)
    assert wide.residual == pytest.approx(0.25 * low + 0.75 * high)
    assert wide.lowest_transfer == tuple(np.min([mean_transfer(one) for one in seen], axis=0))
    assert wide.spectrum is not None and wide.log_spectrum == domain.log_spectrum
    with pytest.raises(ValueError, match="without LR has no limits"):
        domain.widened([])


def test_cells_that_nobody_fills_are_taken_from_beside_them(subjects):
    holed = [spectrum.copy() for spectrum in subjects]
    for spectrum in holed:
        spectrum[3, 5, 7] = np.nan
        spectrum[:, 15] = np.nan
    domain = find_domain(holed, subjects[:1], SPACING_MM, None)
    assert np.isfinite(domain.spectrum).all()
    whole = np.mean(subjects, axis=0)
    assert domain.spectrum[3, 5, 7] == pytest.approx((whole[2, 5, 7] + whole[4, 5, 7]) / 2, abs=0.002)


def test_a_domain_comes_back_from_its_file(domain, tmp_path):
    domain.save(tmp_path / "domain.json")
    assert Domain.load(tmp_path / "domain.json") == domain
    assert [path.name for path in tmp_path.iterdir()] == ["domain.json"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subjects": None}, "'subjects' is null"),
        ({"log_spectrum": [[[1.0]], [[1.0, 2.0]]]}, "'log_spectrum' is no block"),
        ({"log_spectrum": [[[float("nan")]]]}, "'log_spectrum.0.0.0' is NaN"),
        ({"lowest_transfer": [1, 1]}, "'lowest_transfer' is"),
        ({"age": 3}, "unknown key 'age'"),
        ({"resolved_fraction": [0, 1, 1]}, "'resolved_fraction.0' is 0"),
        ({"log_spectrum": [[[1e300]]]}, "a number beyond 100"),
        ({"log_spectrum": [[[]]]}, "'log_spectrum' is no block"),
    ],
)
def test_what_is_no_domain_is_refused(domain, change, said):
    with pytest.raises(UdeansrError, match=said):
        from_json(Domain, as_json(domain) | change, "here")


def test_a_file_that_is_not_there_or_broken_is_told_of(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    for name in ("domain.json", "broken.json"):
        with pytest.raises(UdeansrError, match=f"{name}: .*udeansr_plan_and_preprocess"):
            Domain.load(tmp_path / name)
