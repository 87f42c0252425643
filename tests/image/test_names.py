from pathlib import Path

import pytest

from udeansr.image.names import IMAGE_SUFFIXES, case_name, image_suffix


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_a_suffix_is_found_in_any_case_and_taken_off(suffix):
    for written in (suffix, suffix.upper()):
        path = Path("a.b") / f"sub-01.x{written}"
        assert image_suffix(path) == suffix
        assert case_name(path) == "sub-01.x"


def test_what_is_no_image_file_keeps_its_name(tmp_path, monkeypatch):
    assert image_suffix(Path("a/nii.gz.txt")) == ""
    assert case_name(Path("a/series.7")) == "series.7"
    assert case_name(Path("a/@3_T1")) == "3_T1"
    monkeypatch.chdir(tmp_path)
    assert case_name(Path()) == case_name(Path("x/..")) == tmp_path.name
