from dataclasses import replace

import pytest

from udeansr.degradation.kspace import Degradation
from udeansr.degradation.measured_degradation import MeasuredDegradation
from udeansr.planning.fingerprint import CohortFacts, Fingerprint
from udeansr.planning.planner import make_plan
from udeansr.planning.summary import fingerprint_table, plan_table


@pytest.fixture
def fingerprint() -> Fingerprint:
    cohort = CohortFacts(4, (40, 96, 98.5), (4.0, 2.0, 2.0), (10, 50, 99), 0.42, {axis: (0.0,) for axis in "ZYX"})
    curves = ((1.0, 0.9, 0.5, 0.25), (1.0, 0.9, 0.6, 0.35), (1.0, 0.9, 0.62, 0.37))
    measured = MeasuredDegradation((0.25, 0.5, 0.75, 1.0), curves, (4.8, 2.51, 2.5), 0.0123, 1.077, 0.05)
    cohorts = {"sourceHR": replace(cohort, spacing_mm=(2.0, 1.0, 1.0)), "targetLR": cohort}
    return Fingerprint(
        "Dataset001_A", "SPL", (4.0, 2.0, 2.0), (2.0, 1.0, 1.0), (40, 96, 96), cohorts, measured, 0.0286, 1.055, ()
    )


def test_the_facts_that_a_reader_needs_are_listed(fingerprint):
    table = fingerprint_table(fingerprint)
    for words in (
        "towards S, P, L; Z is the coarsest of the LR",
        "4 images, median 40 x 96 x 98.5 voxels of 4 x 2 x 2 mm, 42% foreground",
        "misfit 0.05 decades",
        "chance        p = 0.029 that there is no more than truncation",
        "along Z       transfer 1.00 0.90 0.50 0.25 at 0.25 0.5 0.75 1.0 Nyquist; width 4.80 mm",
        "noise         0.0123",
        "gain          1.077",
        "level gain      1.055",
    ):
        assert words in table


def test_subjects_who_are_too_few_to_tell_are_told_so(fingerprint):
    assert "chance        subjects are too few" in fingerprint_table(replace(fingerprint, degradation_p=None))


def test_every_value_of_the_plan_is_told_with_its_reason(fingerprint):
    plan = make_plan(fingerprint, None)
    table = plan_table(plan)
    configuration = plan.configurations["x2x2x2"]
    lines = {line.split()[0]: line for line in table.splitlines()}
    for key, reason in configuration.reasons.items():
        assert lines[key].endswith(reason), key
    assert "2 x 1 x 1" in lines["hr_spacing_mm"]
    assert lines["rotate90"].split()[1] == "yes"
    assert "32 x 32" in lines["patch_size"]


def test_a_value_set_by_hand_is_told_as_such(fingerprint):
    plan = make_plan(fingerprint, None)
    base = plan.configurations["x2x2x2"]
    reasons = {key: why for key, why in base.reasons.items() if key != "epochs"}
    variant = base.changed(name="long", inherits_from="x2x2x2", epochs=77, reasons=reasons)
    table = plan_table(replace(plan, configurations={"x2x2x2": base, "long": variant}))
    assert "configuration long (inherits from x2x2x2)" in table
    assert [line.split() for line in table.splitlines() if "77" in line] == [["epochs", "77", "set", "by", "hand"]]


def test_a_known_degradation_is_told_in_words(fingerprint):
    plan = make_plan(fingerprint, None)
    known = plan.configurations["x2x2x2"].changed(source_degradation=Degradation(apodization=0.3), reasons={})
    (line,) = [
        line for line in plan_table(replace(plan, configurations={"x2x2x2": known})).splitlines() if "0.3" in line
    ]
    assert line.split()[:5] == ["source_degradation", "known", "set", "by", "hand:"] and "apodization 0.3," in line


def test_what_the_scanner_interpolated_is_told(fingerprint):
    assert "break off" not in fingerprint_table(fingerprint)
    lr = replace(fingerprint.cohorts["targetLR"], resolved_fraction=(1.0, 0.8, 0.5))
    table = fingerprint_table(replace(fingerprint, cohorts={**fingerprint.cohorts, "targetLR": lr}))
    assert "spectra break off at 4 x 2.5 x 4 mm: zero filling or partial Fourier" in table


def test_slices_that_were_excited_are_told(fingerprint):
    assert "excited" not in fingerprint_table(fingerprint)
    excited = replace(fingerprint.degradation, slice_profile="gaussian", slice_thickness=0.7)
    found = replace(fingerprint, degradation=excited)
    assert "excited (no header says 2D or 3D), 0.70 of their distance thick" in fingerprint_table(found)
    lr = replace(fingerprint.cohorts["targetLR"], acquisition="3D")
    told = {**fingerprint.cohorts, "targetLR": lr}
    assert "excited (headers say 3D), 0.70 of their" in fingerprint_table(replace(found, cohorts=told))
    assert "encoded, as their spectra fit (headers say 3D)" in fingerprint_table(replace(fingerprint, cohorts=told))
