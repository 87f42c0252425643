import pytest

from udeansr.image.bids import BidsName, anat_images, is_anatomy, is_dataset


@pytest.mark.parametrize("name", ["sub-01_T1w", "sub-01_ses-a_acq-x_run-2_echo-1_part-mag_space-A_res-2_desc-p_T2w"])
def test_names_are_read_and_written_as_they_were(name):
    parsed = BidsName.parse(name)
    assert parsed is not None
    assert str(parsed) == name


@pytest.mark.parametrize("name", ["T1w", "scan", "sub-01", "sub-_T1w", "sub-01_T1w.old", "sub-0 1_T1w", ""])
def test_other_names_are_none(name):
    assert BidsName.parse(name) is None


def test_entities_are_put_in_the_standards_order():
    parsed = BidsName.parse("sub-01_desc-x_run-1_foo-7_acq-b_ses-2_T1w")
    assert str(parsed) == "sub-01_ses-2_acq-b_run-1_foo-7_desc-x_T1w"


def test_derived_names_keep_what_was_there():
    plain, given = BidsName.parse("sub-01_run-1_T1w"), BidsName.parse("sub-01_res-1mm_desc-preproc_T1w")
    assert plain is not None
    assert given is not None
    assert str(plain.derived("udeansr", "sr")) == "sub-01_run-1_res-sr_desc-udeansr_T1w"
    assert str(plain.derived("udeansr", "sr", "dseg")) == "sub-01_run-1_res-sr_desc-udeansr_dseg"
    assert str(given.derived("udeansr", "sr")) == "sub-01_res-1mmsr_desc-preprocudeansr_T1w"


def test_a_sidecar_applies_to_images_of_its_suffix_that_have_all_it_names():
    image = BidsName({"sub": "01", "run": "1"}, "T1w")
    assert BidsName({}, "T1w").applies_to(image)
    assert BidsName({"run": "1"}, "T1w").applies_to(image)
    assert not BidsName({"run": "2"}, "T1w").applies_to(image)
    assert not BidsName({"run": "1", "acq": "x"}, "T1w").applies_to(image)
    assert not BidsName({}, "T2w").applies_to(image)


def test_images_of_anatomy_are_found_under_a_subject_or_everywhere(tmp_path):
    for name in (
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_T2w.nii",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-02/anat/.sub-02_T1w.nii.gz",
        "sub-02/anat/sub-02_T1w.json",
        "sub-02/func/sub-02_bold.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert is_dataset(tmp_path) and not is_dataset(tmp_path / "sub-01")
    assert [path.name for path in anat_images(tmp_path, tmp_path)] == [
        "sub-01_T1w.nii.gz",
        "sub-01_ses-2_T2w.nii",
        "sub-02_T1w.nii.gz",
    ]
    assert [path.name for path in anat_images(tmp_path, tmp_path / "sub-02")] == ["sub-02_T1w.nii.gz"]


@pytest.mark.parametrize(
    ("stem", "expected"),
    [("sub-01_T1w", True), ("sub-01_part-mag_T2w", True), ("sub-01_part-phase_T1w", False), ("sub-01_T1map", False)],
)
def test_anatomy_is_a_magnitude_image(stem, expected):
    assert is_anatomy(BidsName.parse(stem)) is expected
