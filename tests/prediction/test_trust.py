import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from udeansr.degradation.kspace import Degradation, degrade, truncate_kspace
from udeansr.degradation.spectrum import foreground_spectrum
from udeansr.image.grid import Scale
from udeansr.image.resampling import sinc
from udeansr.planning.domain import Domain, find_domain
from udeansr.prediction.trust import Trust, TrustMeter

SCALE = Scale(2, 2, 2)
SPACING_MM = (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def subject(textured_head):
    return partial(textured_head, shape=(40, 64, 60), extent=0.8, level=0.6, contrast=0.1)


@pytest.fixture(scope="module")
def domain(subject) -> Domain:
    hr = [foreground_spectrum(subject(seed), SCALE) for seed in range(5)]
    lr = [foreground_spectrum(np.abs(truncate_kspace(subject(seed), SCALE))) for seed in range(5, 9)]
    return find_domain(hr, lr, SPACING_MM, "T1w")


def assessed(sr: np.ndarray, lr: np.ndarray, block: int = 7, **known) -> Trust:
    meter = TrustMeter(SCALE, len(lr))
    for first in range(0, len(sr), block):
        meter(first, sr[first : first + block])
    return meter.trust(lr, SPACING_MM, **known)


def test_the_truth_is_consistent_wherever_the_slices_were_cut(subject):
    hr = subject(20)
    lr = np.abs(truncate_kspace(hr, SCALE))
    one, other = assessed(hr, lr), assessed(hr, lr, block=16)
    assert one.consistency_db > 80
    assert one.shift_voxels < 0.01
    assert one.gain == pytest.approx(1, abs=1e-4)
    assert one.consistency_db == pytest.approx(other.consistency_db, abs=0.5)
    assert (one.noise, one.outside) == (None, None)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shift_is_told_in_hr_voxels(axis, subject):
    hr = subject(20)
    found = assessed(np.roll(hr, 1, axis), np.abs(truncate_kspace(hr, SCALE)))
    assert found.shift_voxels == pytest.approx(1, abs=0.05)
    assert found.consistency_db < 45


def test_a_wrong_level_and_what_lr_does_not_hold_are_told(subject):
    hr = subject(20)
    lr = np.abs(truncate_kspace(hr, SCALE))
    assert assessed(1.1 * hr, lr).gain == pytest.approx(1.1, abs=0.005)
    invented = hr.copy()
    invented[16:24, 20:30, 20:30] += 0.3
    assert assessed(invented, lr).consistency_db < assessed(hr, lr).consistency_db - 30


def test_sr_is_held_to_the_lr_as_it_was_measured_to_be(domain, subject):
    hr = subject(20)
    lr = degrade(hr, SCALE, Degradation(apodization=0.4, noise=0.01), np.random.default_rng(0))
    assert assessed(hr, lr, domain=domain).consistency_db > assessed(hr, lr).consistency_db + 3


def test_lr_like_those_learnt_from_is_in_the_domain(domain, subject):
    for seed in (20, 21):
        hr = subject(seed)
        found = assessed(hr, np.abs(truncate_kspace(hr, SCALE)), domain=domain)
        assert found.outside == ()
        assert str(found).endswith("in the model's domain")
        assert found.noise is not None and found.misfit is not None and found.width_mm is not None


def test_what_is_unlike_is_told_with_its_number(domain, subject):
    hr = subject(20)
    noisy = degrade(hr, SCALE, Degradation(noise=0.3), np.random.default_rng(0))
    told = assessed(hr, noisy, domain=domain)
    assert told.outside and any(word.startswith(f"noise {told.noise:.4f} (learnt up to") for word in told.outside)
    assert "OUTSIDE the model's domain: " in str(told)

    blurred = degrade(hr, SCALE, Degradation(apodization=0.5), np.random.default_rng(0))
    assert any("a mean transfer of" in word for word in assessed(hr, blurred, domain=domain).outside or ())
    wide = replace(domain, lowest_transfer=(0.3, 0.3, 0.3))
    assert not any("transfer" in word for word in assessed(hr, blurred, domain=wide, deconvolves=True).outside or ())

    plates = hr * (1 + np.sin(np.arange(60) * 2 * np.pi / 6)).astype(np.float32)
    told = assessed(plates, np.abs(truncate_kspace(plates, SCALE)), domain=domain).outside or ()
    assert any(" decades from the subjects' (LR of theirs by " in word for word in told)


def test_a_model_of_a_blurring_scanner_is_told_of_a_sharp_lr(domain, subject):
    hr = subject(20)
    blurred = degrade(hr, SCALE, Degradation(apodization=0.5), np.random.default_rng(0))
    expected = domain.measure(blurred, SPACING_MM)
    own = replace(domain, lowest_transfer=(0.5, 0.5, 0.5))
    assert not any("transfer" in w for w in assessed(hr, blurred, domain=own, expected=expected).outside or ())
    sharp = assessed(hr, np.abs(truncate_kspace(hr, SCALE)), domain=own, expected=expected).outside or ()
    assert any("learnt from 0." in word for word in sharp)


def test_it_goes_to_json_whatever_it_found():
    found = Trust(math.inf, 0.1, 1.0, 0.01, (1.0, 2.0, 3.0), 0.1, ("noise",))
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False)) == {
        "consistency_db": None, "shift_voxels": 0.1, "gain": 1.0, "noise": 0.01, "width_mm": [1.0, 2.0, 3.0],
        "misfit": 0.1, "outside": ["noise"], "resolved_mm": None,
    }  # fmt: skip


def test_a_missing_slice_is_the_callers_mistake(subject):
    meter = TrustMeter(SCALE, 20)
    meter(0, subject(0)[:10])
    with pytest.raises(ValueError, match="30 slices of the SR have not gone by"):
        meter.trust(np.abs(truncate_kspace(subject(0), SCALE)), SPACING_MM)


def test_of_large_slices_the_middle_is_judged(monkeypatch, subject):
    hr = subject(20)
    lr = degrade(hr, SCALE, Degradation(apodization=0.2), np.random.default_rng(0))
    whole = assessed(hr, lr)
    monkeypatch.setattr("udeansr.prediction.trust.WINDOW", 28)
    middle = assessed(hr, lr)
    assert middle.consistency_db == pytest.approx(whole.consistency_db, abs=3)
    assert middle.gain == pytest.approx(whole.gain, abs=0.02)
    moved = assessed(np.roll(hr, 1, 2), np.abs(truncate_kspace(hr, SCALE)))
    assert moved.shift_voxels == pytest.approx(1, abs=0.1)


def test_what_the_scanner_interpolated_is_told():
    rng = np.random.default_rng(0)
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in (6, 48, 60)), indexing="ij")
    fall = (np.sqrt(sum(f**2 for f in grids)) + 0.02) ** -1.3
    image = np.fft.ifftn(np.fft.fftn(rng.standard_normal((6, 48, 60))) * fall).real
    image = (image - image.min()).astype(np.float32) / 10
    filled = sinc(image, Scale(1, 1, 2))
    found = assessed(sinc(filled, SCALE), filled)
    assert found.resolved_mm is not None and found.resolved_mm[2] == pytest.approx(2 * SPACING_MM[2], rel=0.2)
    assert "its spectrum breaks off at 2 x 2 x " in str(found)
    assert assessed(sinc(image, SCALE), image).resolved_mm is None
