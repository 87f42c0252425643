import shutil
from dataclasses import replace

import numpy as np
import pytest

from udeansr.errors import UdeansrError
from udeansr.image.files import read_volume, write_volume
from udeansr.image.volume import Volume
from udeansr.planning.case_facts import CaseFacts
from udeansr.planning.plan_dataset import plan_dataset
from udeansr.planning.raw_dataset import load_raw_dataset
from udeansr.report.cohort_page import find_outliers, write_cohort_page

ONE = CaseFacts(
    *("targetLR", "a", "SPL", (30, 48, 48), (2.0, 1.0, 1.0), "int16", (10.0, 50.0, 100.0), 0.6),
    *((0, 0, 0), (30, 48, 48), "digest"),
    noise=0.01,
)
PARTS = {"a": 0.6, "b": 0.61, "c": 0.59, "d": 0.62, "e": 0.6}
COHORT = [replace(ONE, name=name, foreground_fraction=part) for name, part in PARTS.items()]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"noise": 0.05}, "noise 0.05 (median 0.01)"),
        ({"spacing_mm": (4.0, 1.0, 1.0), "shape": (15, 48, 48)}, "slice spacing, mm 4 (median 2)"),
        ({"foreground_percentiles": (10.0, 500.0, 1000.0)}, "brightness 1e+03 (median 100)"),
        ({"shape": (9, 48, 48)}, "field of view along the slices, mm 18 (median 60)"),
    ],
)
def test_a_scan_unlike_the_others_is_found_with_its_reason_alone(fault, words):
    assert find_outliers(COHORT) == {}
    assert find_outliers([*COHORT, replace(ONE, name="odd", **fault)]) == {"odd": (words,)}


def test_of_two_none_is_the_odd_one():
    assert find_outliers([ONE, replace(ONE, name="b", noise=0.5)]) == {}


@pytest.fixture(scope="module")
def planned(small_example, tmp_path_factory):
    """A small dataset, one of whose LR is dark and drowned in noise."""
    root = tmp_path_factory.mktemp("cohorts")
    folder = small_example(root, (32, 48, 48))
    path = sorted((folder / "targetLR").iterdir())[0]
    scan = read_volume(path)
    noise = np.random.default_rng(0).normal(0, 0.4 * scan.voxels.max(), scan.voxels.shape)
    dark = np.clip(0.2 * (scan.voxels + noise), 0, None).astype(np.float32)
    write_volume(Volume(dark, scan.geometry), path)
    raw = load_raw_dataset(folder)
    plan_dataset(raw, root / "preprocessed", None, processes=1)
    return raw, root / "preprocessed"


def test_the_page_shows_both_cohorts_and_marks_the_bad_scan(planned, tmp_path, browse):
    raw, folder = planned
    page = write_cohort_page(raw, folder, tmp_path / "a.html")
    text = page.read_text(encoding="utf-8")
    assert text.count("<figure") == 8 and text.count('class="outlier"') == 1
    assert text.index("1 unlike the others") > text.index("targetLR: 4 scans")
    assert "each value with its reason" in text and str(folder) not in text
    for width in (1280, 390):
        assert browse(page, width).execute_script("return document.documentElement.scrollWidth") <= width


def test_a_dataset_that_was_not_planned_is_the_users_mistake(planned, tmp_path):
    shutil.copytree(planned[1], tmp_path / "other", ignore=shutil.ignore_patterns("fingerprint.json"))
    with pytest.raises(UdeansrError, match="no fingerprint; plan first: udeansr_plan_and_preprocess -d Dataset001"):
        write_cohort_page(planned[0], tmp_path / "other")
