import sys

import pytest

from udeansr.cli.app import COMMANDS, main


def ended(monkeypatch, *words: str) -> int:
    """Run the umbrella in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["udeansr", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_every_command_is_a_subcommand_under_its_own_name(monkeypatch, capsys):
    assert ended(monkeypatch, "-h") == 0
    shown = capsys.readouterr().out
    assert all(f"  {command.__name__} " in shown for command in COMMANDS)
    assert {
        "simulate",
        "plan_and_preprocess",
        "train",
        "speed",
        "predict",
        "evaluate",
        "benchmark",
        "figures",
        "report",
        "view",
        "demo",
        "info",
    } == {command.__name__ for command in COMMANDS}


def test_the_version_is_told_and_nothing_else(monkeypatch, capsys):
    assert ended(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == "udeansr 0.1.0\n"


def test_a_subcommand_ends_as_the_command_of_that_name_does(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert ended(monkeypatch, "predict", "-i", "gone", "-o", "sr") == 2
    told = capsys.readouterr()
    assert told.err.startswith("udeansr predict: gone: no such file or folder; expected .nii.gz")
    assert told.err.count("\n") == 1 and told.out == ""


def test_models_is_a_subcommand_with_subcommands_of_its_own(monkeypatch, capsys, tmp_path):
    assert ended(monkeypatch, "-h") == 0
    assert "  models " in capsys.readouterr().out
    assert ended(monkeypatch, "models", "import", str(tmp_path / "gone.zip")) == 2
    told = capsys.readouterr()
    assert told.err.startswith("udeansr models import: ") and told.err.count("\n") == 1


@pytest.mark.parametrize("words", [["predikt"], ["predict", "--fast"], ["--fast"]])
def test_what_is_mistyped_is_refused(words, monkeypatch, capsys):
    assert ended(monkeypatch, *words) == 2
    assert words[-1] in capsys.readouterr().err


def test_without_a_word_it_shows_its_help(monkeypatch, capsys):
    ended(monkeypatch)
    told = capsys.readouterr()
    assert "Usage: udeansr" in told.out + told.err
