import logging
import sys
from pathlib import Path

import pytest

from udeansr.cli.figures import main
from udeansr.figures import all_figures as library


@pytest.fixture
def ended(monkeypatch, tmp_path):
    """Runs the command in this process and gives its exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_settings: None)

    def end(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["udeansr_figures", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return end


def test_the_words_reach_the_work_and_the_figures_are_named(ended, monkeypatch, capsys):
    given = []

    def write(folder, split, case, rows):
        given.append((folder.root, split, case, rows))
        return [Path("out/figures/Dataset001_A/errors_axial_sub-1.png")]

    monkeypatch.setattr(library, "write_figures", write)
    assert ended("-i", "out") == 0
    assert ended("-i", "out", "--split", "validation", "--case", "sub-1", "--rows", "default,mine") == 0
    assert given == [(Path("out"), "test", None, None), (Path("out"), "validation", "sub-1", "default,mine")]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "out/figures/Dataset001_A/errors_axial_sub-1.png"
    assert lines[1] == "1 drawn; what they show: out/figures/captions.md"


def test_a_folder_without_a_benchmark_is_one_line_and_status_2_and_nothing_is_made(ended, capsys, tmp_path):
    assert ended("-i", "gone") == 2
    told = capsys.readouterr()
    assert told.err.startswith("udeansr_figures: gone: no finished row of test subjects; expected the folder of a")
    assert told.err.count("\n") == 1 and told.out == "" and not list(tmp_path.iterdir())
