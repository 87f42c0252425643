import json

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.planning.bias_correction import DegradedSample
from udeansr.planning.case_facts import CaseFacts
from udeansr.planning.fingerprint import Fingerprint, extract_fingerprints
from udeansr.planning.raw_dataset import load_raw_dataset
from udeansr.strict_json import as_json


def extracted(dataset) -> Fingerprint:
    return extract_fingerprints(load_raw_dataset(dataset.folder), processes=1)[0][0]


def test_the_fingerprint_tells_what_is_so(dataset):
    found = extracted(dataset)
    assert (found.dataset, found.orientation) == ("Dataset001_Tiny", "SPL")
    assert (found.lr_spacing_mm, found.hr_spacing_mm) == ((3.0, 2.0, 2.0), (1.5, 1.0, 1.0))
    assert (found.smallest_lr_voxels, str(found.grid.scale)) == ((8, 20, 20), "x2x2x2")
    assert [(case.group, case.name) for case in found.cases] == [
        ("sourceHR", "hr1"), ("sourceHR", "hr2"), ("targetLR", "lr1"), ("targetLR", "lr2"),
        ("testLR", "one"), ("testHR", "one"),
    ]  # fmt: skip
    assert {group: cohort.images for group, cohort in found.cohorts.items()} == {"sourceHR": 2, "targetLR": 2}
    assert found.resampled == ()
    domain = extract_fingerprints(load_raw_dataset(dataset.folder), processes=1)[0][1]
    assert domain.resolved_fraction == found.cohorts["targetLR"].resolved_fraction


def test_medians_are_over_the_cohort_and_the_smallest_over_both(dataset):
    dataset.write("targetLR", "wide.nii.gz", shape=(8, 20, 31))
    dataset.write("sourceHR", "flat.nii.gz", shape=(9, 40, 40), spacing_mm=(1.5, 1.1, 1.0))
    found = extracted(dataset)
    assert found.cohorts["targetLR"].shape == (8, 20, 20)
    assert found.smallest_lr_voxels == (4, 20, 20)
    assert found.resampled == ("flat",)


def test_a_fingerprint_is_deterministic_and_follows_the_voxels(dataset):
    before = extracted(dataset)
    assert extracted(dataset) == before
    dataset.write("sourceHR", "hr1.nii.gz", np.random.default_rng(5).integers(400, 1000, (16, 40, 40)).astype(np.int16))
    assert extracted(dataset) != before


def test_json_and_back(dataset, tmp_path):
    found = extracted(dataset)
    path = tmp_path / "fingerprint.json"
    found.save(path)
    assert Fingerprint.load(path) == found
    assert "NaN" not in path.read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(colour=1), "fingerprint.json: unknown key 'colour'"),
        (lambda v: v.pop("cases"), "fingerprint.json: the key 'cases' is missing"),
        (lambda v: v["cases"][0].update(age=70), "fingerprint.json: unknown key 'cases.0.age'"),
        (lambda v: v["cohorts"]["sourceHR"].pop("images"), "the key 'cohorts.sourceHR.images' is missing"),
        (lambda v: v["degradation"].update(colour=1), "unknown key 'degradation.colour'"),
        (lambda v: v.update(cohorts=3), "fingerprint.json: 'cohorts' is 3.*udeansr_plan"),
    ],
)
def test_what_is_no_fingerprint_is_refused_by_name(make_fingerprint, tmp_path, change, message):
    path = tmp_path / "fingerprint.json"
    case = CaseFacts(
        "targetLR", "a", "SPL", (9,) * 3, (1.0,) * 3, "int16", (1.0, 2.0, 3.0), 0.5, (0,) * 3, (9,) * 3, "00"
    )
    values = as_json(make_fingerprint(cases=(case,)))
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(UdeansrError, match=message):
        Fingerprint.load(path)


def test_faults_come_before_anything_is_measured(dataset):
    path = dataset.write("validationLR", "lonely.nii.gz")
    with pytest.raises(UdeansrError, match=f"^{path}: no partner"):
        extracted(dataset)


def test_a_blur_along_one_axis_and_a_gain_are_found(tmp_path):
    """HR of texture; LR of other texture, merged, blurred along Y by 1 2 1: its transfer is cos^2(pi f / 2)."""
    folder = tmp_path / "Dataset001_Tiny"
    for number in range(4):
        rng = np.random.default_rng(number)
        fine = rng.normal(0, 60, (48, 96, 96)) + 500
        write_volume(
            Volume(fine.astype(np.float32), Geometry(fine.shape, (3.0, 1.0, 1.0))),
            folder / "sourceHR" / f"{number}.nii.gz",
        )
        rng = np.random.default_rng(100 + number)
        low = rng.normal(0, 60, (48, 48, 48)) / 2 + 500
        low = (np.roll(low, 1, 1) + 2 * low + np.roll(low, -1, 1)) / 4
        write_volume(
            Volume(low.astype(np.float32), Geometry(low.shape, (3.0, 2.0, 2.0))),
            folder / "targetLR" / f"{number}.nii.gz",
        )
    found = extract_fingerprints(load_raw_dataset(folder), processes=1)[0][0].degradation
    f = np.asarray(found.frequencies)
    np.testing.assert_allclose(found.transfer[1], np.cos(np.pi * f / 2) ** 2, atol=0.1)
    np.testing.assert_allclose(found.transfer[2], 1, atol=0.1)
    assert found.width_mm[1] > 1.1 * found.width_mm[2]


def test_the_level_gain_is_that_of_the_source_images(dataset, monkeypatch):
    gains = {"hr1": 1.2, "hr2": 1.4, "hr3": 1.3}
    dataset.write("sourceHR", "hr3.nii.gz")
    known = np.zeros((16, 16, 16))
    monkeypatch.setattr(
        "udeansr.planning.cohort_measure.degrade_sample",
        lambda request: DegradedSample(gains[request.path.name[:3]], known, known, np.linspace(0.5, 1, 1025)),
    )
    assert extracted(dataset).level_gain == 1.3
