import logging
import sys
from pathlib import Path

import pytest

from udeansr.cli.report import main
from udeansr.report import run_report as library


@pytest.fixture
def ended(monkeypatch, tmp_path):
    """Runs the command in this process and gives its exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_settings: None)

    def end(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["udeansr_report", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return end


def test_the_words_reach_the_work_and_the_page_is_named(ended, monkeypatch, capsys):
    given = []
    monkeypatch.setattr(library, "find_cases", lambda *folders: folders)
    monkeypatch.setattr(library, "write_report", lambda *words, **named: given.append((*words, named)))
    Path("sr").mkdir()
    assert ended("sr", "-i", "lr", "--processes", "1") == 0
    more = ("--lesions", "ms", "--other", "sr2", "-o", "a.html", "--title", "B", "--processes", "3")
    assert ended("sr", "-i", "lr", "-r", "hr", *more) == 0
    sr, lr, hr, lesions, other = map(Path, ("sr", "lr", "hr", "ms", "sr2"))
    assert given == [
        ((sr, lr, None, None, None), sr / "report.html", "Super-resolution", {"processes": 1}),
        ((sr, lr, hr, lesions, other), Path("a.html"), "B", {"processes": 3}),
    ]
    assert capsys.readouterr().out.splitlines() == ["sr/report.html", "a.html"]


def test_a_folder_without_an_image_is_the_users_mistake(ended, capsys, tmp_path):
    (tmp_path / "sr").mkdir()
    assert ended("sr") == 2
    assert "no image" in capsys.readouterr().err
    assert list((tmp_path / "sr").iterdir()) == []


def test_a_training_cohorts_and_a_benchmark_have_pages_of_their_own(ended, monkeypatch, capsys, tmp_path):
    from udeansr.report import benchmark_page, cohort_page, training_page

    monkeypatch.setattr(training_page, "write_training_page", lambda folder, path: path or folder / "training.html")
    monkeypatch.setattr(cohort_page, "write_cohort_page", lambda raw, folder, path: folder / "cohorts.html")
    monkeypatch.setattr(benchmark_page, "write_benchmark_page", lambda folder, path: path or folder.root / "b.html")
    for group in ("sourceHR", "targetLR"):
        (tmp_path / "raw" / "Dataset007_A" / group).mkdir(parents=True)
        (tmp_path / "raw" / "Dataset007_A" / group / "a.nii.gz").touch()
    assert ended("--training", "run") == 0
    assert ended("--cohorts", "7", "--raw", "raw", "--preprocessed", "arrays") == 0
    assert ended("--benchmark", "bench") == 0
    pages = ["run/training.html", "arrays/Dataset007_A/cohorts.html", "bench/b.html"]
    assert capsys.readouterr().out.splitlines() == pages
    assert ended("sr", "--training", "run") == 2 and ended() == 2
    assert "expected one of" in capsys.readouterr().err
