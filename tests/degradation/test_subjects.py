import pytest

from udeansr.degradation.subjects import Counts, draw_groups, subject
from udeansr.errors import UdeansrError

PEOPLE = [f"sub-{number:02d}" for number in range(1, 61)]


@pytest.mark.parametrize("number", [4, 5, 9, 11, 60, 300])
def test_unpaired_groups_share_nobody(number):
    people = [f"sub-{n}" for n in range(number)]
    groups = draw_groups(people, Counts(), "unpaired", 1)
    everybody = [name for names in groups.values() for name in names]
    assert len(everybody) == len(set(everybody)) and set(everybody) <= set(people)
    assert all(groups.values())


def test_the_papers_parts():
    groups = draw_groups([str(n) for n in range(300)], Counts(), "unpaired", 1)
    assert [len(groups[name]) for name in ("source", "target", "validation", "test")] == [120, 120, 30, 30]


def test_misaligned_groups_share_source_and_target_alone():
    groups = draw_groups(PEOPLE, Counts(), "misaligned", 1)
    unpaired = draw_groups(PEOPLE, Counts(), "unpaired", 1)
    assert groups["source"] == groups["target"] == unpaired["target"]
    assert groups["test"] == unpaired["test"] and groups["validation"] == unpaired["validation"]
    assert not {*groups["target"]} & {*groups["test"], *groups["validation"]}


def test_the_seed_decides_and_the_order_does_not():
    assert draw_groups(PEOPLE[::-1], Counts(), "unpaired", 3) == draw_groups(PEOPLE, Counts(), "unpaired", 3)
    assert draw_groups(PEOPLE, Counts(), "unpaired", 4) != draw_groups(PEOPLE, Counts(), "unpaired", 3)


def test_counts_are_kept():
    groups = draw_groups(PEOPLE, Counts(3, 5, 0, 2), "unpaired", 1)
    assert [len(groups[name]) for name in ("source", "target", "validation", "test")] == [3, 5, 0, 2]


@pytest.mark.parametrize(
    ("name", "person"),
    [("sub-01_ses-2_T1w", "sub-01"), ("sub-01_T1w", "sub-01"), ("patient7", "patient7"), ("subject-1", "subject-1")],
)
def test_whom_a_scan_shows(name, person):
    assert subject(name) == person


@pytest.mark.parametrize(
    ("counts", "pairing", "message"),
    [
        (
            Counts(40, 40, 1, 1),
            "unpaired",
            "60 people are there, 82 are needed (unpaired: 40 source, 40 target, 1 validation, 1 test); give more "
            "scans or smaller groups with --source, --target, --validation, --test",
        ),
        (Counts(0, 5, 1, 1), "unpaired", "--source is 0; expected at least 1"),
        (Counts(5, 5, -1, 1), "unpaired", "--validation is -1; expected at least 0"),
        (
            Counts(5, 6, 1, 1),
            "misaligned",
            "--source is 5 and --target 6; expected one number, as both are the same people when misaligned: "
            "leave --source out",
        ),
        (Counts(), "paired", "pairing 'paired' is not known; expected unpaired or misaligned"),
    ],
)
def test_what_cannot_be_drawn_is_said(counts, pairing, message):
    with pytest.raises(UdeansrError) as caught:
        draw_groups(PEOPLE, counts, pairing, 1)
    assert str(caught.value) == message


def test_three_people_are_too_few():
    with pytest.raises(UdeansrError, match="3 people are there, 4 are needed"):
        draw_groups(["a", "b", "c"], Counts(), "unpaired", 1)
