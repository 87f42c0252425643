import logging
import sys
from pathlib import Path

import pytest

from udeansr.cli.view import main
from udeansr.report import view as library


@pytest.fixture
def ended(monkeypatch, tmp_path):
    """Runs the command in this process and gives its exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_settings: None)

    def end(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["udeansr_view", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return end


def test_the_words_reach_the_work_and_the_page_is_named(ended, monkeypatch, capsys):
    given = []

    def write(lr, sr, hr, path):
        given.append((lr, sr, hr, path))
        return path

    monkeypatch.setattr(library, "write_view", write)
    assert ended("lr/a.nii.gz", "sr/a.nii.gz") == 0
    assert ended("lr/a.nii.gz", "sr/a.nii.gz", "hr/a.nii.gz", "-o", "look/a.html") == 0
    lr, sr, hr = (Path(folder) / "a.nii.gz" for folder in ("lr", "sr", "hr"))
    assert given == [(lr, sr, None, Path("a.html")), (lr, sr, hr, Path("look/a.html"))]
    assert capsys.readouterr().out.splitlines() == ["a.html", "look/a.html"]


def test_the_browser_opens_only_where_it_is_asked_for(ended, monkeypatch):
    opened = []
    monkeypatch.setattr(library, "write_view", lambda lr, sr, hr, path: path)
    monkeypatch.setattr("typer.launch", opened.append)
    assert ended("lr.nii", "sr.nii") == 0 and opened == []
    assert ended("lr.nii", "sr.nii", "--open") == 0 and opened == ["sr.html"]


def test_a_missing_image_is_the_users_mistake(ended, capsys, tmp_path):
    assert ended("gone.nii.gz", "sr.nii.gz") == 2
    assert "no such file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
