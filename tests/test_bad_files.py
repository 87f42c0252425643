"""A part of the bad and odd files of benchmarks/reliability: each is right or one line."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "reliability" / "bad_files.py"
SPEC = importlib.util.spec_from_file_location("bad_files", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
bad_files = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bad_files)

RIGHT = ("good", "left-handed", "pixdim other than the sform", "blanks", "DICOM", "DICOM, a text beside")
REFUSED = (
    *("vox_offset NaN", "sform NaN", "complex", "no UTF-8", "huge sides", "a link to itself", "a FIFO"),
    *("DICOM, too few pixels", "DICOM, position NaN", "DICOM, a name that is no UTF-8", "DICOM, a slice missing"),
)


@pytest.mark.parametrize("name", [*RIGHT, *REFUSED, "wrong magic", "vox_offset negative"])
def test_a_bad_file_is_right_or_one_line(name, tmp_path):
    came = bad_files.tried(bad_files.CASES[name], tmp_path)
    assert not came.startswith("FAULT"), came
    if name in RIGHT + REFUSED:
        assert (came == "right") == (name in RIGHT), came
