import json

import pytest

from udeansr.errors import UdeansrError
from udeansr.planning.fingerprint import Fingerprint
from udeansr.planning.plan import Plan
from udeansr.planning.plan_dataset import plan_dataset
from udeansr.planning.raw_dataset import load_raw_dataset


@pytest.fixture
def planned(dataset, tmp_path):
    """Plan the tiny dataset into one folder, again and again."""

    def run(memory_gb=None, again=False):
        return plan_dataset(load_raw_dataset(dataset.folder), tmp_path / "made", memory_gb, processes=1, again=again)

    run.folder = tmp_path / "made"
    return run


def edited(folder) -> Plan:
    values = json.loads((folder / "plans.json").read_text())
    values["configurations"]["long"] = {"inherits_from": "x2x2x2", "size": {"epochs": 77}}
    (folder / "plans.json").write_text(json.dumps(values))
    return Plan.load(folder / "plans.json")


def test_what_is_returned_is_what_lies_there(planned):
    made = planned()
    assert (made.kept, made.earlier) == (False, None)
    assert Plan.load(planned.folder / "plans.json") == made.plan
    assert Fingerprint.load(planned.folder / "fingerprint.json") == made.fingerprints["x2x2x2"]


def test_an_edited_plan_is_kept_while_the_images_are_the_same(planned):
    planned()
    mine = edited(planned.folder)
    made = planned(memory_gb=24.0)
    assert (made.kept, made.plan) == (True, mine)


def test_a_new_plan_leaves_the_earlier_one_beside_it(planned, dataset):
    planned()
    mine = edited(planned.folder)
    made = planned(memory_gb=24.0, again=True)
    assert (made.kept, made.plan.configurations["x2x2x2"].size.features) == (False, 64)
    assert made.earlier is not None
    assert Plan.load(made.earlier) == mine
    dataset.write("targetLR", "more.nii.gz")
    assert not planned().kept


@pytest.mark.parametrize("text", ["{", '{"dataset": 1}'])
def test_a_fingerprint_that_cannot_be_read_is_that_of_other_images(planned, text):
    planned()
    (planned.folder / "fingerprint.json").write_text(text)
    assert not planned().kept


def test_a_plan_that_was_edited_wrongly_is_told_not_replaced(planned):
    planned()
    (planned.folder / "plans.json").write_text("{")
    with pytest.raises(UdeansrError, match=r"plans.json: no JSON .*; mend it, or make it again: udeansr_plan"):
        planned()
    assert (planned.folder / "plans.json").read_text() == "{"
    assert not planned(again=True).kept


def test_nothing_is_written_where_no_plan_can_be_made(planned):
    with pytest.raises(UdeansrError, match="the smallest training of x2x2x2 takes"):
        planned(memory_gb=0.1)
    assert not planned.folder.exists()
