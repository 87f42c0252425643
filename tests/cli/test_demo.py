import functools
import importlib
import inspect
import shlex
import sys
from pathlib import Path

import pytest

from udeansr.cli.demo import demo
from udeansr.errors import UdeansrError

STAGES = ("plan_and_preprocess", "train", "predict", "evaluate")
EXAMPLE = Path("a b") / "Dataset012_Example"  # a blank in a path has to be quoted


@pytest.fixture
def calls(monkeypatch, tmp_path) -> list[tuple[str, dict]]:
    """Every stage's function replaced by one that writes down what it would have been told."""
    monkeypatch.chdir(tmp_path)
    EXAMPLE.mkdir(parents=True)
    noted: list[tuple[str, dict]] = []

    def recorder(function):
        @functools.wraps(function)
        def note(**options):
            told = inspect.signature(function).bind(**options)
            told.apply_defaults()
            noted.append((function.__name__, dict(told.arguments)))

        return note

    for stage in STAGES:
        module = importlib.import_module(f"udeansr.cli.{stage}")
        monkeypatch.setattr(module, stage, recorder(getattr(module, stage)))
    return noted


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_shown_is_what_is_done(overwrite, calls, monkeypatch, capsys):
    demo(output=Path("demo"), example=EXAMPLE, minutes=0.5, device="cpu", overwrite=overwrite)
    done = list(calls)
    assert [name for name, _ in done] == ["plan_and_preprocess", "train", *["predict"] * 3, "evaluate"]
    shown = [line[2:] for line in capsys.readouterr().out.splitlines() if line.startswith("$ ")]
    calls.clear()
    for line in shown:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as left:
            importlib.import_module(f"udeansr.cli.{sys.argv[0].removeprefix('udeansr_')}").main()
        assert not left.value.code, line
    assert calls == done


def test_it_trains_for_the_minutes_on_the_cpu_preset_and_compares_with_interpolation(calls, capsys):
    demo(output=Path("demo"), example=EXAMPLE, minutes=0.5, device="cpu", overwrite=False)
    by_name = dict(calls)
    assert by_name["plan_and_preprocess"]["memory_gb"] == 0 and by_name["train"]["max_minutes"] == 0.5
    assert [options["method"] for name, options in calls if name == "predict"] == [None, "tricubic", "sinc"]
    assert by_name["evaluate"]["sr"] == [Path("demo/sr") / name for name in ("supervised", "tricubic", "sinc")]
    last = capsys.readouterr().out.splitlines()[-5:]
    assert last[0].startswith("Done in 0.0 minutes")
    assert [line.split(": ")[1].strip() for line in last[1:]] == [
        "demo/sr", "demo/scores", "demo/udeansr_results", "demo/udeansr_preprocessed",
    ]  # fmt: skip


def test_it_is_refused_without_the_example(calls):
    with pytest.raises(UdeansrError) as caught:
        demo(output=Path("demo"), example=Path("gone"), minutes=1, device="cpu", overwrite=False)
    assert str(caught.value) == "gone: the example is not there; run in a clone of the project, or give -i FOLDER"
    assert not calls


def test_an_earlier_demo_is_not_touched_unless_asked(calls):
    Path("demo").mkdir()
    with pytest.raises(UdeansrError) as caught:
        demo(output=Path("demo"), example=EXAMPLE, minutes=1, device="cpu", overwrite=False)
    assert str(caught.value) == ("demo: there is a demo already; give --overwrite to replace it, or -o another folder")
    assert not calls
    demo(output=Path("demo"), example=EXAMPLE, minutes=1, device="cpu", overwrite=True)
    assert len(calls) == 6


def test_a_folder_that_is_no_dataset_is_refused(calls):
    Path("pictures").mkdir()
    with pytest.raises(UdeansrError, match="'pictures' is no name for a dataset"):
        demo(output=Path("demo"), example=Path("pictures"), minutes=1, device="cpu", overwrite=False)
