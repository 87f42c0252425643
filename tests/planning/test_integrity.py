import logging
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from udeansr.errors import UdeansrError
from udeansr.image.grid import Scale, reorient_geometry, sr_geometry, sub_geometry
from udeansr.image.volume import Geometry
from udeansr.paths import GROUPS
from udeansr.planning.case_facts import Examined
from udeansr.planning.cohort_grid import CohortGrid
from udeansr.planning.integrity import (
    check_dataset,
    cohort_faults,
    cohort_warnings,
    examine_dataset,
    pair_faults,
    pair_warnings,
)
from udeansr.planning.raw_dataset import Case, RawDataset, load_raw_dataset

GRID = CohortGrid("SPL", (4.0, 2.0, 2.0), (1.0, 1.0, 1.0))


def seen(group: str, name: str, spacing_mm) -> Examined:
    return Examined(group, Case(name, Path(name)), geometry=Geometry((9, 9, 9), spacing_mm))


def dataset(*examined: Examined) -> RawDataset:
    groups = {group: tuple(one.case for one in examined if one.group == group) for group in GROUPS}
    return RawDataset(Path("Dataset001_A"), "Dataset001_A", groups)


def test_spacings_at_the_limits_of_what_is_taken():
    at_limit = [
        seen("targetLR", "a", (4.35, 2.0, 1.85)),
        seen("sourceHR", "b", (4.4, 2.2, 1.33)),
        seen("testHR", "c", (2.66, 2.0, 2.0)),
    ]
    assert cohort_faults(dataset(*at_limit), at_limit, GRID) == []
    beyond = [
        seen("targetLR", "a", (4.4, 2.0, 2.0)),
        seen("sourceHR", "b", (4.5, 1.0, 1.0)),
        seen("testHR", "c", (2.7, 2.0, 2.0)),
    ]
    lines = cohort_faults(dataset(*beyond), beyond, GRID)
    assert [line.split(":")[0] for line in lines] == ["a", "b", "c"]


def test_without_a_grid_no_spacings_are_compared():
    examined = [seen("targetLR", "a", (9.0, 9.0, 9.0))]
    assert cohort_faults(dataset(*examined), examined, None) == []


def test_only_source_hr_is_resampled_for_its_spacing():
    examined = [seen(group, group, (1.0, 1.0, 1.1)) for group in ("sourceHR", "testHR", "testLR")]
    (warning,) = cohort_warnings(examined, GRID)
    assert warning.startswith("sourceHR: HR of 1 x 1 x 1.1 mm along SPL will be resampled to 1 x 1 x 1 mm")


PAIR_GRID = CohortGrid("SPL", (4.0, 2.0, 2.0), (2.0, 1.0, 1.0))
COS, SIN = np.cos(0.3), np.sin(0.3)
LR = Geometry((8, 20, 22), (4.0, 2.0, 2.0), (5.0, -3.0, 9.0), ((0.0, 0.0, 1.0), (-SIN, COS, 0.0), (COS, SIN, 0.0)))
HR = sr_geometry(LR, Scale(2, 2, 2))


def pair(hr: Geometry, lr: Geometry = LR, hr_name: str = "one"):
    lr_case, hr_case = Case("one", Path("lr/one")), Case(hr_name, Path(f"hr/{hr_name}"))
    groups = dict.fromkeys(GROUPS, ()) | {"testLR": (lr_case,), "testHR": (hr_case,)}
    examined = [Examined("testLR", lr_case, geometry=lr), Examined("testHR", hr_case, geometry=hr)]
    return RawDataset(Path("Dataset001_A"), "Dataset001_A", groups), examined


def test_an_oblique_pair_on_its_grid_has_neither_fault_nor_warning():
    raw, examined = pair(HR)
    assert pair_faults(raw, examined) == pair_warnings(raw, examined, PAIR_GRID) == []


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, 1])
def test_hr_may_end_within_one_lr_voxel_and_no_further(axis, end):
    for voxels, expected in ((2, 0), (3, 1)):  # HR voxels cut off at one side
        start, shape = [0, 0, 0], list(HR.shape)
        shape[axis] -= voxels
        start[axis] = 0 if end else voxels
        raw, examined = pair(sub_geometry(HR, tuple(start), tuple(shape)))
        faults = pair_faults(raw, examined)
        assert len(faults) == expected
        gap_mm = voxels * HR.spacing_mm[axis]
        assert all(
            fault.startswith(f"hr/one: ends {gap_mm:.1f} mm inside the field of view of lr/one") for fault in faults
        )
        assert len(pair_warnings(raw, examined, PAIR_GRID)) == 1


def test_the_field_of_view_does_not_depend_on_how_the_hr_is_stored():
    raw, examined = pair(reorient_geometry(HR, "LAI"))
    assert pair_faults(raw, examined) == []


def test_a_pair_of_two_names_is_two_faults_and_no_pair():
    raw, examined = pair(HR, hr_name="other")
    assert [line.split(": ")[1].split(";")[0] for line in pair_faults(raw, examined)] == ["no partner", "no partner"]
    assert pair_warnings(raw, examined, PAIR_GRID) == []


def faults(dataset) -> list[str]:
    with pytest.raises(UdeansrError) as raised:
        check_dataset(load_raw_dataset(dataset.folder), processes=1)
    return str(raised.value).splitlines()


def test_a_dataset_without_a_fault_passes_without_a_word(dataset, caplog):
    with caplog.at_level(logging.WARNING):
        assert check_dataset(load_raw_dataset(dataset.folder), processes=1) == []
    assert caplog.messages == []


def test_what_is_no_image_is_told(dataset):
    path = dataset.folder / "sourceHR" / "torn.nii.gz"
    path.write_bytes(b"not an image")
    (fault,) = faults(dataset)
    assert re.fullmatch(rf"{re.escape(str(path))}: cannot be read \(.+\); replace the file or take it out", fault)


def test_an_image_cut_off_within_its_voxels_is_told(dataset):
    path = dataset.write("targetLR", "cut.nii")
    path.write_bytes(path.read_bytes()[:-2000])
    (fault,) = faults(dataset)
    assert fault.startswith(f"{path}: cut off: it holds ")


def write_4d(path, volumes: int) -> None:
    image = sitk.JoinSeries([sitk.ReadImage(str(path)) + number for number in range(volumes)])
    sitk.WriteImage(image, str(path))


def test_four_dimensions_are_refused_unless_they_hold_one_volume(dataset):
    path = dataset.write("targetLR", "series.nii.gz")
    write_4d(path, 3)
    assert faults(dataset) == [f"{path}: a 4-D image of 3 volumes; expected one; give each its own file"]
    path = dataset.write("targetLR", "series.nii.gz")
    write_4d(path, 1)
    assert check_dataset(load_raw_dataset(dataset.folder), processes=1) == []


def test_directions_that_are_not_orthonormal_are_told(dataset):
    path = dataset.write("targetLR", "sheared.nrrd")
    text = path.read_bytes()
    # LPS columns of a sheared space, in the place of (2,0,0) (0,2,0) (0,0,3).
    path.write_bytes(re.sub(rb"space directions: [^\n]+", b"space directions: (2,0,0) (0.4,1.9596,0) (0,0,3)", text))
    (fault,) = faults(dataset)
    assert fault.startswith(f"{path}: its axes are 0.")
    assert "off right angles; expected an orthonormal direction" in fault


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_voxels_that_are_not_finite_are_counted(dataset, suffix):
    voxels = np.random.default_rng(0).uniform(1, 2, (8, 20, 20)).astype(np.float32)
    voxels[0, 0, :3] = np.nan, np.inf, -np.inf
    path = dataset.write("targetLR", f"holes{suffix}", voxels)
    assert faults(dataset) == [
        f"{path}: 3 voxels are not finite; expected numbers everywhere; repair or remove the file"
    ]


def test_a_constant_image_is_told(dataset):
    path = dataset.write("sourceHR", "flat.nii.gz", np.full((16, 40, 40), 7, dtype=np.int16))
    assert faults(dataset) == [f"{path}: every voxel is 7; expected an image; replace or remove the file"]


def test_an_image_without_a_positive_voxel_is_told(dataset):
    voxels = -np.arange(8 * 20 * 20, dtype=np.float32).reshape(8, 20, 20)
    path = dataset.write("targetLR", "negative.nii.gz", voxels)
    assert faults(dataset) == [f"{path}: no voxel is above 0; expected magnitudes; rescale, replace or remove the file"]


@pytest.mark.parametrize(
    ("group", "shape", "held"),
    [("targetLR", (8, 12, 20), "8 slices of 12 x 20"), ("sourceHR", (4, 40, 40), "2 slices of 20 x 20")],
)
def test_an_image_smaller_than_the_smallest_patch_is_told(dataset, group, shape, held):
    path = dataset.write(group, "small.nii.gz", shape=shape)
    assert faults(dataset) == [
        f"{path}: its foreground holds {held} LR voxels; expected at least 3 of 16 x 16, the smallest patch; "
        "give a larger field of view or remove it"
    ]


def test_the_foreground_counts_not_the_air_around_it(dataset):
    voxels = np.zeros((8, 20, 20), dtype=np.int16)
    voxels[:, 4:14, :] = 500
    voxels[0, 5, 5] = 600
    path = dataset.write("targetLR", "air.nii.gz", voxels)
    (fault,) = faults(dataset)
    assert fault.startswith(f"{path}: its foreground holds 8 slices of 10 x 20 LR voxels")


def test_one_image_in_two_groups_is_told_whatever_its_format_and_orientation(dataset):
    from udeansr.image.files import read_volume, write_volume
    from udeansr.image.grid import reorient

    original = dataset.folder / "sourceHR" / "hr1.nii.gz"
    again = dataset.folder / "testHR" / "two.mha"
    turned = reorient(read_volume(original), "LIA")
    write_volume(type(turned)(turned.voxels.astype(np.float32), turned.geometry), again)
    dataset.write("testLR", "two.nii.gz")
    assert faults(dataset) == [
        f"{again}: the same voxels as {original}; expected every image once, in one group; remove one of the two"
    ]


def test_two_files_of_one_name_are_told(dataset):
    path = dataset.write("sourceHR", "hr1.mha", np.random.default_rng(9).integers(1, 99, (16, 40, 40)).astype(np.int16))
    (fault,) = faults(dataset)
    other = dataset.folder / "sourceHR" / "hr1.nii.gz"
    assert fault == (
        f"{other}: its name is that of {path}; expected one file a name in a group; rename or remove one of the two"
    )


def test_pairs_must_be_complete_on_both_sides(dataset):
    lr, hr = dataset.write("validationLR", "a.nii.gz"), dataset.write("validationHR", "b.nii.gz")
    assert faults(dataset) == [
        f"{lr}: no partner; expected an image named a in {dataset.folder / 'validationHR'}; add it, or remove this one",
        f"{hr}: no partner; expected an image named b in {dataset.folder / 'validationLR'}; add it, or remove this one",
    ]


def test_pairs_must_be_of_one_field_of_view(dataset):
    lr = dataset.write("validationLR", "a.nii.gz")
    hr = dataset.write("validationHR", "a.nii.gz", origin_mm=(-0.5, 4.5, -0.75))
    assert faults(dataset) == [
        f"{hr}: ends 5.0 mm inside the field of view of {lr}; expected a pair of one field of view and position; "
        "register and resample the HR to its LR, or remove both"
    ]


def test_hr_of_a_pair_may_be_larger_and_within_a_voxel(dataset):
    dataset.write("validationLR", "a.nii.gz")
    hr = dataset.write("validationHR", "a.nii.gz", shape=(24, 50, 44), origin_mm=(1.0, -6.0, -3.0))
    (warning,) = check_dataset(load_raw_dataset(dataset.folder), processes=1)
    assert warning.startswith(f"{hr}: will be resampled onto the SR grid of ")


def test_lr_must_be_coarser_than_hr(dataset):
    path = dataset.write("sourceHR", "coarse.nii.gz", spacing_mm=(2.5, 1.9, 1.5))
    assert faults(dataset) == [
        f"{path}: HR of 2.5 x 1.9 x 1.5 mm along SPL is hardly finer along any axis than the 3 x 2 x 2 mm that LR is "
        "learned for; expected HR that is at least 1.5 times finer along one axis, and coarser along none than most "
        "HR; move or remove it"
    ]


def test_hr_must_not_be_coarser_along_an_axis(dataset):
    path = dataset.write("sourceHR", "thick.nii.gz", spacing_mm=(5.0, 1.0, 1.0))
    (fault,) = faults(dataset)
    assert fault.startswith(
        f"{path}: HR of 5 x 1 x 1 mm along SPL is coarser along one axis than the 3 x 2 x 2 mm that"
    )


def test_lr_of_a_pair_must_be_of_a_spacing_that_is_learned_for(dataset):
    path = dataset.write("testLR", "other.nii.gz", spacing_mm=(3.0, 2.0, 2.25))
    dataset.write("testHR", "other.nii.gz", shape=(16, 40, 46))
    assert faults(dataset) == [
        f"{path}: spacing 3 x 2 x 2.25 mm along SPL; expected 3 x 2 x 2 mm within 10 %, as targetLR has; "
        "put LR of another spacing into a dataset of its own"
    ]


def test_one_odd_lr_is_set_aside_with_its_reason(dataset, caplog):
    path = dataset.write("targetLR", "odd.nii.gz", spacing_mm=(3.0, 2.0, 2.5))
    raw = load_raw_dataset(dataset.folder)
    with caplog.at_level(logging.WARNING):
        (protocol,), (warning,) = examine_dataset(raw, 1, spectra=False)
    assert caplog.messages == [warning]
    assert warning.startswith(
        f"{path}: set aside, as no other target LR is of its protocol: 3 x 2 x 2.5 mm along SPL (contrast unknown); "
        "trained for: 3 x 2 x 2 mm along SPL (contrast unknown, 2 images)"
    )
    assert [case.name for case in protocol.raw.groups["targetLR"]] == ["lr1", "lr2"]


def test_all_faults_come_in_one_report_one_line_each_with_its_file(dataset):
    paths = [
        dataset.write("sourceHR", "flat.nii.gz", np.ones((16, 40, 40), dtype=np.int16)),
        dataset.write("validationLR", "lonely.nii.gz"),
        dataset.write("targetLR", "small.nii.gz", shape=(8, 20, 9)),
    ]
    torn = dataset.folder / "targetLR" / "torn.nii.gz"
    torn.write_bytes(b"torn")
    lines = faults(dataset)
    assert sorted(line.split(": ")[0] for line in lines) == sorted(map(str, [*paths, torn]))


def test_faults_of_voxels_are_told_even_where_no_header_of_a_cohort_is_readable(dataset):
    for path in (dataset.folder / "targetLR").iterdir():
        path.write_bytes(b"torn")
    flat = dataset.write("sourceHR", "flat.nii.gz", np.ones((16, 40, 40), dtype=np.int16))
    assert [line.split(": ")[0] for line in faults(dataset)] == [
        str(flat),
        str(dataset.folder / "targetLR" / "lr1.nii.gz"),
        str(dataset.folder / "targetLR" / "lr2.nii.gz"),
    ]


def test_hr_off_the_ratio_is_mended_with_a_warning_that_names_it(dataset, caplog):
    path = dataset.write("sourceHR", "off.nii.gz", spacing_mm=(1.5, 1.1, 1.0))
    with caplog.at_level(logging.WARNING):
        warnings = check_dataset(load_raw_dataset(dataset.folder), processes=1)
    assert warnings == caplog.messages
    assert warnings == [
        f"{path}: HR of 1.5 x 1.1 x 1 mm along SPL will be resampled to 1.5 x 1 x 1 mm, "
        "which is the LR's spacing / x2x2x2"
    ]


def test_two_processes_find_what_one_finds(dataset):
    raw = load_raw_dataset(dataset.folder)
    (alone,), (shared,) = (examine_dataset(raw, processes, spectra=True)[0] for processes in (1, 2))
    assert alone.grid == shared.grid
    for one, other in zip(alone.images, shared.images, strict=True):
        assert one.facts == other.facts
        assert (one.spectrum is None) == (one.group not in ("sourceHR", "targetLR"))
        np.testing.assert_equal(one.spectrum, other.spectrum)
