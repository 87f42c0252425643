import json
import logging
import re
import shutil

import pytest

from udeansr.errors import UdeansrError
from udeansr.paths import GROUPS
from udeansr.planning.raw_dataset import About, load_raw_dataset


def test_groups_hold_the_cases_by_name_and_absent_ones_are_empty(dataset):
    raw = load_raw_dataset(dataset.folder)
    assert raw.name == "Dataset001_Tiny"
    assert set(raw.groups) == set(GROUPS)
    assert [case.name for case in raw.groups["sourceHR"]] == ["hr1", "hr2"]
    assert raw.groups["validationLR"] == ()
    assert raw.about == About()


def test_pairs_are_those_of_equal_name_whatever_the_format(dataset):
    dataset.write("testLR", "two.mha")
    dataset.write("testHR", "two.nrrd")
    dataset.write("testLR", "lonely.nii")
    raw = load_raw_dataset(dataset.folder)
    assert [(lr.path.name, hr.path.name) for lr, hr in raw.pairs("testLR")] == [
        ("one.nii.gz", "one.nii.gz"),
        ("two.mha", "two.nrrd"),
    ]


def test_dataset_json_is_read(dataset):
    (dataset.folder / "dataset.json").write_text(json.dumps({"contrast": "T1w", "licence": "CC0"}))
    assert load_raw_dataset(dataset.folder).about == About(contrast="T1w", licence="CC0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"licens": "CC0"}', "unknown key 'licens'; known are name, description, contrast, licence, reference, bids"),
        ('{"name": 3}', "'name' is 3; expected text"),
        ("[]", ".*expected an object"),
        ("{", "no JSON .*; .*it is optional"),
    ],
)
def test_a_broken_dataset_json_is_refused_with_its_fault(dataset, text, message):
    path = dataset.folder / "dataset.json"
    path.write_text(text)
    with pytest.raises(UdeansrError, match=f"^{re.escape(str(path))}: {message}"):
        load_raw_dataset(dataset.folder)


def test_all_faults_of_the_folders_are_told_at_once(tmp_path):
    folder = tmp_path / "Dataset001_Tiny"
    (folder / "targetlr").mkdir(parents=True)
    (folder / "testLR").mkdir()
    (folder / "dataset.json").write_text("{")
    with pytest.raises(UdeansrError) as raised:
        load_raw_dataset(folder)
    lines = str(raised.value).splitlines()
    assert len(lines) == 4
    assert "no JSON" in lines[0]
    assert lines[1] == (
        f"{folder / 'sourceHR'}: missing; the dataset has targetlr, testLR; expected the HR scans in a folder sourceHR"
    )
    assert "expected the LR scans in a folder targetLR" in lines[2]
    assert lines[3].startswith(f"{folder / 'testLR'}: no image")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UdeansrError, match=r"no such folder; expected a dataset with sourceHR/ and targetLR/ in it"):
        load_raw_dataset(tmp_path / "Dataset001_Tiny")


def test_a_folder_that_is_not_read_is_told(dataset, caplog):
    (dataset.folder / "validationhr").mkdir()
    (dataset.folder / ".hidden").mkdir()
    with caplog.at_level(logging.WARNING):
        load_raw_dataset(dataset.folder)
    assert caplog.messages == [
        f"{dataset.folder / 'validationhr'}: not read; the groups of a dataset are {', '.join(GROUPS)}"
    ]


@pytest.fixture
def study(dataset, tmp_path):
    """The dataset with its images of sourceHR in a BIDS dataset; writes the entry of ``dataset.json``."""
    root = tmp_path / "study"
    source = dataset.folder / "sourceHR" / "hr1.nii.gz"
    for name in ("sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "sub-02_ses-1_T1w", "sub-02_ses-1_T2w", "sub-03_ses-1_T2w"):
        subject, session, _ = name.split("_")
        folder = root / subject / session / "anat"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / f"{name}.nii.gz")
    shutil.rmtree(dataset.folder / "sourceHR")

    def write(group="sourceHR", folder=str(root), **entry):
        values = {"bids": {group: {"folder": folder, "suffix": "T1w", **entry}}}
        (dataset.folder / "dataset.json").write_text(json.dumps(values))
        return dataset.folder

    return write


def names(folder):
    return [case.name for case in load_raw_dataset(folder).groups["sourceHR"]]


def test_a_group_may_lie_in_a_bids_dataset_and_be_filtered(study):
    everybody = ["sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "sub-02_ses-1_T1w"]
    assert names(study()) == names(study(folder="../study")) == everybody
    assert names(study(participants=["sub-02"])) == names(study(participants=["02"])) == everybody[2:]
    assert names(study(entities={"ses": "1"})) == [everybody[0], everybody[2]]
    assert names(study(suffix="T2w")) == ["sub-02_ses-1_T2w", "sub-03_ses-1_T2w"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"group": "source"}, "'bids' names the group source; expected sourceHR, targetLR"),
        ({"folder": "../nothing"}, "nothing is no BIDS dataset; expected a folder with dataset_description.json"),
        ({"participants": ["02", "sub-09"]}, "has no anatomical image of sub-09; mend the entry"),
        ({"suffix": "FLAIR"}, "no image of FLAIR as asked for in .*, which has T1w, T2w"),
        ({"entities": {"ses": "7"}}, "no image of T1w as asked for"),
        ({"group": "targetLR"}, "dataset.json takes this group from the BIDS dataset .*; expected one place"),
        ({"sufix": "T1w"}, "unknown key .*sufix"),
    ],
)
def test_what_a_bids_group_asks_for_in_vain_is_told(study, entry, message):
    with pytest.raises(UdeansrError, match=message):
        load_raw_dataset(study(**entry))
