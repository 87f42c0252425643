import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import udeansr
from udeansr.strict_json import as_json, from_json
from udeansr.training import computed
from udeansr.training.computed import Computed

CPU = torch.device("cpu")


def test_it_says_all_that_is_needed_to_do_it_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/udeansr_train", "001", "x2x2x2", "--results", "my results"])
    made = Computed.here(CPU, "fp32")
    assert (made.device, made.precision, made.torch) == ("cpu", "fp32", torch.__version__)
    assert made.machine.startswith(f"cpu ({torch.get_num_threads()} threads), ")
    assert made.command == "udeansr_train 001 x2x2x2 --results 'my results'"
    assert made.packages["numpy"] == metadata.version("numpy") and "pytest" not in made.packages
    assert f"udeansr {udeansr.__version__}" in str(made) and str(made).endswith(f"in fp32: {made.command}")


def test_what_versions_before_wrote_can_be_read_and_this_as_well():
    former = {"device": "cpu", "precision": "fp32", "torch": "2.4.0", "python": "3.11.7"}
    assert from_json(Computed, former, "run.json").commit is None
    made = Computed.here(CPU, "fp32")
    assert from_json(Computed, json.loads(json.dumps(as_json(made))), "run.json") == made


@pytest.mark.parametrize("changed", [False, True])
def test_the_commit_of_a_clone_is_told_and_whether_it_was_changed(tmp_path, changed):
    def git(*words: str) -> str:
        name = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    package = tmp_path / "udeansr" / "__init__.py"
    package.parent.mkdir()
    package.write_text("a = 1\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    git("tag", "v1")
    if changed:
        package.write_text("a = 2\n")
    assert computed._commit(tmp_path) == git("rev-parse", "HEAD") + ("-dirty" if changed else "")


def test_without_a_clone_there_is_the_commit_that_pip_wrote_or_none(tmp_path, monkeypatch):
    for origin, commit in ((None, None), (json.dumps({"vcs_info": {"vcs": "git", "commit_id": "abc"}}), "abc")):
        installed = SimpleNamespace(read_text=lambda _, origin=origin: origin)
        monkeypatch.setattr(computed.metadata, "distribution", lambda _, installed=installed: installed)
        assert computed._commit(tmp_path / str(commit)) == commit


def test_from_python_there_is_no_command_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(Path("/home/me/try.py")), "secret"])
    assert Computed.here(CPU, "fp32").command == ""
