import pytest

from udeansr.degradation.subjects import Counts, draw_groups, subject_of
from udeansr.errors import UdeansrError

SUBJECTS = [f"sub-{number:02d}" for number in range(1, 61)]


@pytest.mark.parametrize("number", [4, 5, 9, 11, 60, 300])
def test_unpaired_groups_share_nobody(number):
    subjects = [f"sub-{n}" for n in range(number)]
    groups = draw_groups(subjects, Counts(), "unpaired", 1)
    everybody = [name for names in groups.values() for name in names]
    assert len(everybody) == len(set(everybody)) and set(everybody) <= set(subjects)
    assert all(groups.values())


def test_the_papers_parts():
    groups = draw_groups([str(n) for n in range(300)], Counts(), "unpaired", 1)
    assert [len(groups[name]) for name in ("source", "target", "validation", "test")] == [120, 120, 30, 30]


def test_misaligned_groups_share_source_and_target_alone():
    groups = draw_groups(SUBJECTS, Counts(), "misaligned", 1)
    unpaired = draw_groups(SUBJECTS, Counts(), "unpaired", 1)
    assert groups["source"] == groups["target"] == unpaired["target"]
    assert groups["test"] == unpaired["test"] and groups["validation"] == unpaired["validation"]
    assert not {*groups["target"]} & {*groups["test"], *groups["validation"]}


def test_the_seed_decides_and_the_order_does_not():
    assert draw_groups(SUBJECTS[::-1], Counts(), "unpaired", 3) == draw_groups(SUBJECTS, Counts(), "unpaired", 3)
    assert draw_groups(SUBJECTS, Counts(), "unpaired", 4) != draw_groups(SUBJECTS, Counts(), "unpaired", 3)


def test_counts_are_kept():
    groups = draw_groups(SUBJECTS, Counts(3, 5, 0, 2), "unpaired", 1)
    assert [len(groups[name]) for name in ("source", "target", "validation", "test")] == [3, 5, 0, 2]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("sub-01_ses-2_T1w", "sub-01"), ("sub-01_T1w", "sub-01"), ("patient7", "patient7"), ("subject-1", "subject-1")],
)
def test_which_subject_a_scan_shows(name, shown):
    assert subject_of(name) == shown


@pytest.mark.parametrize(
    ("counts", "pairing", "found"),
    [
        (Counts(40, 40, 1, 1), "unpaired", "60 subjects .* 82 .*40 source, 40 target, 1 validation, 1 test"),
        (Counts(0, 5, 1, 1), "unpaired", "--source is 0"),
        (Counts(5, 5, -1, 1), "unpaired", "--validation is -1"),
        (Counts(5, 6, 1, 1), "misaligned", "--source is 5 and --target 6"),
        (Counts(), "paired", "'paired' .*unpaired or misaligned"),
    ],
)
def test_what_cannot_be_drawn_is_said(counts, pairing, found):
    with pytest.raises(UdeansrError, match=found):
        draw_groups(SUBJECTS, counts, pairing, 1)


def test_three_subjects_are_too_few():
    with pytest.raises(UdeansrError, match=r"3 subjects .* 4 "):
        draw_groups(["a", "b", "c"], Counts(), "unpaired", 1)
