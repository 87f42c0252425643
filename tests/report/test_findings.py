"""An SR that was deliberately made wrong is warned of, by the word for its fault; a right one is not."""

import numpy as np
import pytest
from scipy import ndimage

from udeansr.image.files import read_volume, write_volume
from udeansr.image.volume import Volume
from udeansr.report.case_report import CaseFiles, report_case
from udeansr.report.findings import hr_warnings, prediction_warnings

FAULTS = {
    "shifted": (lambda sr: ndimage.shift(sr, (0, 0.6, 0), order=3, mode="nearest"), "shifted"),
    "dimmed": (lambda sr: 0.85 * sr, "darker"),
    "blurred": (lambda sr: ndimage.gaussian_filter(sr, 1.5), "blurred"),
}


@pytest.fixture(scope="module")
def warned(case, tmp_path_factory):
    """What is said of an SR that was changed, by LR alone or by HR alone."""
    folder = tmp_path_factory.mktemp("faults")
    sr = read_volume(case["sr"])

    def warn(change, by: str) -> str:
        path = folder / "sub-10_T1w.nii.gz"
        write_volume(Volume(change(sr.voxels.astype(np.float32)).astype(np.float32), sr.geometry), path)
        report = report_case(CaseFiles("sub-10_T1w", path, **{by: case[by]}), "k", 1e9)
        return " ".join(report.warnings)

    return warn


@pytest.mark.parametrize("by", ["lr", "hr"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_warned_of_by_its_name_and_no_other(warned, fault, by):
    change, word = FAULTS[fault]
    said = warned(change, by)
    assert word in said
    others = {"shifted", "darker"} - {word}  # what is moved by interpolation is a little blurred, too
    assert not [other for other in others if other in said]


@pytest.mark.parametrize("by", ["lr", "hr"])
def test_a_right_one_is_not_warned_of(warned, by):
    assert warned(lambda sr: sr, by) == ""


def test_interpolation_is_told_that_it_adds_nothing(case, tmp_path):
    from udeansr.image.grid import Scale, sr_geometry
    from udeansr.image.resampling import tricubic

    lr = read_volume(case["lr"])
    fine = Volume(tricubic(lr.voxels, Scale(2, 2, 2)), sr_geometry(lr.geometry, Scale(2, 2, 2)))
    write_volume(fine, tmp_path / "a.nii.gz")
    report = report_case(CaseFiles("a", tmp_path / "a.nii.gz", case["lr"]), "k", 1e9)
    assert any("no sharper than interpolation" in warning for warning in report.warnings)


def test_invented_detail_is_told_of():
    right = {"shift_voxels": 0.0, "gain": 1.0, "spectrum_low_db": 0.0, "spectrum_middle_db": 0.0}
    assert hr_warnings({**right, "spectrum_high_db": -2.0}) == []
    (said,) = hr_warnings({**right, "spectrum_high_db": 6.0})
    assert "6.0 dB more power than HR in the high frequencies" in said
    assert hr_warnings({**right, "spectrum_high_db": float("nan")}) == []


def test_what_prediction_knew_is_said_again():
    assert prediction_warnings({"outside": None}) == [] and prediction_warnings({}) == []
    (said,) = prediction_warnings({"outside": ["noise 0.2 (learnt up to 0.1)"]})
    assert "noise 0.2 (learnt up to 0.1)" in said
