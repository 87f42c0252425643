from dataclasses import replace

import pytest

from udeansr.benchmark.folder import BenchmarkFolder
from udeansr.benchmark.merging import merge_folders
from udeansr.benchmark.row_result import RowResult
from udeansr.errors import UdeansrError
from udeansr.strict_json import write_json


@pytest.fixture
def other(tmp_path, settings, result):
    """A folder of two rows, one of them with SR and a length of training."""
    made = BenchmarkFolder(tmp_path / "other")
    made.claim(settings)
    for row in ("udean", "tricubic"):
        one = result(row)
        one.save(made.row_file(one.dataset, one.split, row))
    made.sr(one.dataset, "test", "udean").mkdir(parents=True)
    (made.sr(one.dataset, "test", "udean") / "sub-4.nii.gz").touch()
    write_json({}, made.raw(one.dataset) / "simulation.json")
    write_json({}, made.length_file(one.dataset, "udean"))
    return made


def test_rows_are_taken_over_with_what_belongs_to_them(folder, other, settings, result):
    lines = list(merge_folders(folder, settings, [other.root]))
    assert lines == [f"{other.root}: 2 rows taken over, 0 were here already"]
    one = result("udean")
    assert RowResult.load(folder.row_file(one.dataset, "test", "udean")) == one
    assert (folder.sr(one.dataset, "test", "udean") / "sub-4.nii.gz").is_file()
    assert (folder.raw(one.dataset) / "simulation.json").is_file()
    assert folder.length_file(one.dataset, "udean").is_file()
    assert list(merge_folders(folder, settings, [other.root])) == [
        f"{other.root}: 0 rows taken over, 2 were here already"
    ]


def test_what_differs_is_kept_and_told(folder, other, settings, result):
    folder.claim(settings)
    mine = replace(result("udean", psnr_db=40.0))
    own = folder.row_file(mine.dataset, "test", "udean")
    mine.save(own)
    conflict, told = merge_folders(folder, settings, [other.root])
    assert f"udean.json: differs from {own}, which is kept; remove that one to take this one" in conflict
    assert told.endswith("1 rows taken over, 0 were here already") and RowResult.load(own) == mine


def test_another_benchmark_is_refused_before_anything_is_copied(folder, other, settings, tmp_path):
    with pytest.raises(UdeansrError, match="gone: holds no benchmark; expected a folder that udeansr_benchmark made"):
        list(merge_folders(folder, settings, [other.root, tmp_path / "gone"]))
    with pytest.raises(UdeansrError, match="other: the benchmark in it was made with other options: --test 2 -> 3"):
        list(merge_folders(folder, replace(settings, test=3), [other.root]))
    assert not folder.root.exists()
