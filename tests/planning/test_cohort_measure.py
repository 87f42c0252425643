from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from udeansr.degradation.kspace import Degradation, degrade
from udeansr.image.files import write_volume
from udeansr.image.grid import Scale
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.fingerprint import Fingerprint, extract_fingerprints
from udeansr.planning.planner import make_plan
from udeansr.planning.raw_dataset import load_raw_dataset
from udeansr.planning.summary import fingerprint_table, plan_table

SHAPE = 48
SCALE = Scale(2, 2, 2)


def head(number: int) -> np.ndarray:
    """Two tissues and fluid in folds of their own, in air."""
    rng = np.random.default_rng(number)
    z, y, x = np.meshgrid(*[np.arange(SHAPE) - SHAPE / 2 + 0.5] * 3, indexing="ij")
    folds = zoom(gaussian_filter(rng.standard_normal([SHAPE // 2] * 3), 0.8), 2, order=1)
    tissue = np.select([folds > 0.1, folds > -0.25], [0.9, 0.6], 0.25)
    inside = z**2 + y**2 + x**2 < 22**2
    return np.where(inside, gaussian_filter(tissue, 0.5) + 0.02 * rng.standard_normal(z.shape), 0.0).clip(0)


def fingerprint(folder: Path, contrast, people: int = 4, mask: float = 1.0) -> Fingerprint:
    """Of a dataset whose LR is of others, in another contrast; of the middle of them alone."""
    for number in range(2 * people):
        hr = 500 * head(number)
        if number < people:
            write_volume(
                Volume(hr.astype(np.float32), Geometry(hr.shape, (1.0,) * 3)), folder / "sourceHR" / f"{number}.nii.gz"
            )
            continue
        z, y, x = np.meshgrid(*[np.arange(SHAPE) - SHAPE / 2 + 0.5] * 3, indexing="ij")
        hr = contrast(hr / 450) * 450 * (z**2 + y**2 + x**2 < (22 * mask) ** 2)
        lr = degrade(hr, SCALE, Degradation(apodization=0.3, noise=0.01), np.random.default_rng(number))
        write_volume(Volume(lr, Geometry(lr.shape, (2.0,) * 3)), folder / "targetLR" / f"{number}.nii.gz")
    return extract_fingerprints(load_raw_dataset(folder), processes=1)[0][0]


def test_another_contrast_is_found_beside_the_degradation_and_planned_with(tmp_path):
    found = fingerprint(tmp_path / "Dataset001_A", lambda x: x**0.7)
    tone, measured = found.degradation.tone, found.degradation
    assert tone is not None and found.contrast.differs
    np.testing.assert_allclose(tone(np.array([0.3, 0.6, 0.8])), np.array([0.3, 0.6, 0.8]) ** 0.7, atol=0.05)
    assert measured.transfer[2][8] == pytest.approx(0.7 + 0.3 * np.cos(0.9 * np.pi * measured.frequencies[8]), abs=0.08)
    plan = make_plan(found, None)
    assert plan.configurations["x2x2x2"].task.source_degradation == "measured"
    assert "brought to the LR's by a tone curve" in plan_table(plan)
    assert "HR becomes 0.00" in fingerprint_table(found)
    found.save(tmp_path / "fingerprint.json")
    assert Fingerprint.load(tmp_path / "fingerprint.json") == found


def test_one_contrast_is_left_as_it_is(tmp_path):
    found = fingerprint(tmp_path / "Dataset001_A", lambda x: x)
    assert found.degradation.tone is None and not found.contrast.differs
    assert "taken for alike" in fingerprint_table(found)


def test_the_middle_of_heads_is_not_compared_with_whole_heads(tmp_path):
    found = fingerprint(tmp_path / "Dataset001_A", lambda x: x**0.7, mask=0.8)
    assert found.degradation.tone is None and not found.contrast.same_anatomy
    assert "not compared, as the foreground of LR is 0.6" in fingerprint_table(found)
