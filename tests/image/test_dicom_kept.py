import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.sequence import Sequence

from udeansr.image import dicom_kept
from udeansr.image.dicom_kept import REQUIRED_EMPTY, UNKNOWN, kept


@pytest.fixture
def sources() -> list[pydicom.Dataset]:
    made = []
    for number in range(3):
        one = pydicom.Dataset()
        one.PatientName, one.PatientWeight, one.EchoTime = "Doe", 70, 3
        one.AcquisitionTime, one.AcquisitionDate = f"12000{number}", "20240131"
        one.ImageComments, one.InstanceNumber = "as acquired", number
        one.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "x")
        made.append(one)
    return made


def test_every_keyword_is_one_of_the_standard():
    lists = ("STUDY", "EQUIPMENT", "ACQUISITION", "PRESENTATION", "REQUIRED_EMPTY")
    keywords = [keyword for name in lists for keyword in getattr(dicom_kept, name).split()]
    assert not [keyword for keyword in keywords if tag_for_keyword(keyword) is None]


def test_listed_elements_of_one_value_are_taken_over_and_no_others(sources):
    found = kept(sources)
    assert (found.PatientName, found.PatientWeight, found.EchoTime) == ("Doe", 70, 3)
    assert found.AcquisitionDate == "20240131"
    for keyword in ("AcquisitionTime", "ImageComments", "InstanceNumber"):
        assert keyword not in found
    assert not [element for element in found.iterall() if element.tag.is_private]


def test_what_only_some_files_say_is_not_taken_over(sources):
    del sources[2].EchoTime
    assert kept(sources).EchoTime is None


def test_private_elements_within_sequences_are_taken_out(sources):
    for one in sources:
        item = pydicom.Dataset()
        item.ScheduledProcedureStepID = "7"
        item.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "x")
        one.RequestAttributesSequence = Sequence([item])
    found = kept(sources)
    assert [element.keyword for element in found.RequestAttributesSequence[0]] == ["ScheduledProcedureStepID"]
    assert len(sources[0].RequestAttributesSequence[0]) == 3, "the source was changed"


def test_what_the_standard_requires_is_there(sources):
    found = kept(sources)
    assert not [keyword for keyword in (*REQUIRED_EMPTY.split(), *UNKNOWN) if keyword not in found]
