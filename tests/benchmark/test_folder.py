from dataclasses import replace

import pytest

from udeansr.benchmark.folder import BenchmarkFolder
from udeansr.errors import UdeansrError
from udeansr.lock import HeldError


def test_a_folder_is_claimed_once_and_knows_its_own_again(folder, settings):
    folder.check(settings)
    assert not folder.root.exists()
    folder.claim(settings)
    folder.claim(settings)
    folder.check(settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory_gb": None}, "--memory-gb 0.0 -> left out. Give the former ones to go on with it"),
        ({"test": 3, "epochs": None}, "--test 2 -> 3, --epochs 2 -> left out"),
        ({"scans": ("sub-9",)}, r"other scans \(6 are in one of the two alone, such as sub-"),
    ],
)
def test_other_options_than_it_was_made_with_are_named(folder, settings, changes, message):
    folder.claim(settings)
    before = (folder.root / "benchmark.json").read_bytes()
    with pytest.raises(UdeansrError, match=message):
        folder.claim(replace(settings, **changes))
    assert (folder.root / "benchmark.json").read_bytes() == before


def test_a_folder_that_holds_something_else_is_not_touched(folder, settings):
    folder.root.mkdir()
    (folder.root / "thesis.txt").write_text("years of work")
    with pytest.raises(UdeansrError, match="out: holds something else than a benchmark; expected an empty folder"):
        folder.check(settings)


def test_what_one_holds_another_cannot_until_it_is_let_go(folder):
    with folder.lock("row"):
        with pytest.raises(HeldError), BenchmarkFolder(folder.root).lock("row", wait=False):
            pass
        with folder.lock("other row", wait=False):
            pass
    with folder.lock("row", wait=False):
        pass


def test_no_two_things_lie_in_one_place(folder):
    places = {
        place(dataset, kind, row)
        for place in (folder.training, folder.sr, folder.row_file)
        for dataset in ("a", "b")
        for kind in ("test", "validation")
        for row in ("c", "d")
    }
    assert len(places) == 24 and all(place.is_relative_to(folder.root) for place in places)
