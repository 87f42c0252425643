"""Disks that are full, that fill up or that cannot be written: one line, status 2, what was good stays, no rest."""

import importlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLAN_FILE = Path("preprocessed/Dataset001_BrainT1w/plans.json")
TRAINED = Path("Dataset001_BrainT1w/x2x2x2/supervised")
LENGTH = ("--epochs", "2", "--iterations-per-epoch", "2", "--batch-size", "1", "--device", "cpu", "--precision", "fp32")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, small_example) -> Path:
    """A folder with a small dataset, its plan for tiny networks, arrays, a training, and SR."""
    folder = tmp_path_factory.mktemp("workshop")
    small_example(folder / "raw", (10, 16, 16))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(logging, "basicConfig", lambda **_settings: None)
        assert run(patch, *PLAN, "--no-preprocess", "--preprocessed", "preprocessed") == 0
        plan = json.loads(PLAN_FILE.read_text())
        tiny = {"features": 4, "groups": 1, "blocks": 1, "discriminator_features": 4, "patch_size": [8, 8]}
        plan["configurations"]["x2x2x2"]["size"] |= tiny
        PLAN_FILE.write_text(json.dumps(plan))
        shutil.copytree("preprocessed", "planned")
        assert run(patch, *PLAN, "--preprocessed", "preprocessed") == 0
        assert run(patch, *TRAIN, "--results", "results") == 0
        assert run(patch, *PREDICT) == 0
    return folder


DATASET = "raw/Dataset001_BrainT1w"
PLAN = ("plan_and_preprocess", "-d", "1", "--memory-gb", "0", "--processes", "1", "--raw", "raw")
TRAIN = ("train", "001", "x2x2x2", *LENGTH, "--preprocessed", "preprocessed")
PREDICT = ("predict", "-i", f"{DATASET}/testLR", "-o", "sr", "--method", "sinc", "--scale", "x2x2x2")


def run(patch: pytest.MonkeyPatch, command: str, *arguments: object) -> int:
    """Run a command as the shell would, in this process, and give its exit status."""
    patch.setattr(sys, "argv", [f"udeansr_{command}", *map(str, arguments)])
    try:
        importlib.import_module(f"udeansr.cli.{command}").main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    return 0


class Disk:
    """A file system of its own in memory."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._mount("-t", "tmpfs", "-o", "size=4m", "tmpfs")

    def leave(self, kilobytes: int) -> None:
        """Fill it up to so much."""
        (self.folder / "filling").unlink(missing_ok=True)
        with (self.folder / "filling").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(4096, shutil.disk_usage(self.folder).free - 1024 * kilobytes))

    def make_read_only(self) -> None:
        self._mount("-o", "remount,ro")

    def end(self) -> None:
        subprocess.run(["umount", "-l", self.folder], check=True)

    def files(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}

    def _mount(self, *options: object) -> None:
        done = subprocess.run(["mount", *options, self.folder], check=False, capture_output=True, text=True)
        if done.returncode:
            self.folder.rmdir()
            pytest.skip(f"a file system can be mounted by the superuser alone: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path, monkeypatch):
    if shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("a file system can be mounted by the superuser alone")
    monkeypatch.setattr(logging, "basicConfig", lambda **_settings: None)
    made = Disk(tmp_path / "disk")
    yield made
    made.end()


def commands(output: Path) -> dict[str, tuple[object, ...]]:
    """Every command that writes, each into a folder of the disk."""
    counts = ("--source", "1", "--target", "1", "--validation", "1", "--test", "1")
    simulated = ("-i", f"{DATASET}/sourceHR", "-o", output / "Dataset002_New", "--scale", "x2x2x2", *counts)
    compared = ("-i", DATASET, "-o", output / "bench", "--scales", "x2x2x2", "--rows", "tricubic", "--memory-gb", "0")
    return {
        "simulate": ("simulate", *simulated, "--processes", "1"),
        "plan": (*PLAN, "--no-preprocess", "--preprocessed", output / "new"),
        "preprocess": (*PLAN, "--preprocessed", output / "planned"),
        "train": (*TRAIN, "--results", output),
        "evaluate": ("evaluate", "-i", "sr", "-r", f"{DATASET}/testHR", "-o", output / "scores", "--processes", "1"),
        "export": ("models", "export", "-m", f"results/{TRAINED}", "-o", output / "model.zip"),
        "demo": ("demo", "-i", DATASET, "-o", output / "demo", "--minutes", "0.1", "--device", "cpu"),
        "benchmark": ("benchmark", *compared, "--processes", "1", "--device", "cpu"),
    }


ROOM = {
    "simulate": 20,
    "plan": 8,
    "preprocess": 60,
    "train": 100,
    "evaluate": 6,
    "export": 8,
    "demo": 150,
    "benchmark": 60,
}
"""Kilobytes that are there when a command begins, and are not enough."""


@pytest.mark.slow
@pytest.mark.parametrize("state", ["full", "fills up", "read-only"])
@pytest.mark.parametrize("name", commands(Path()))
def test_a_disk_that_refuses_is_told_in_a_line_and_keeps_no_rest(name, state, workshop, disk, monkeypatch, capfd):
    monkeypatch.chdir(workshop)
    shutil.copytree("planned", disk.folder / "planned")
    if state == "read-only":
        disk.make_read_only()
    else:
        disk.leave({"full": 0, "fills up": ROOM[name]}[state])
    before = disk.files()
    status = run(monkeypatch, *commands(disk.folder)[name])
    shown = capfd.readouterr().err
    assert status == 2, shown
    assert "Traceback" not in shown and "Logging error" not in shown and "(None)" not in shown
    told = [line for line in re.split(r"[\r\n]", shown) if re.match(r"udeansr_[a-z_]+( export)?: ", line)]
    assert len(told) == 1, shown
    assert re.search(
        r"cannot be written \((No space left on device|Read-only file system|.* requested and .* written)\)"
        r"|MiB left, and the checkpoints need",
        shown,
    ), shown
    assert not [path for path in disk.files() - before if "/." in f"/{path}"]


@pytest.mark.slow
def test_a_disk_that_is_full_when_training_goes_on_keeps_its_checkpoints(workshop, disk, monkeypatch, capfd):
    monkeypatch.chdir(workshop)
    words = (*TRAIN, "--results", disk.folder, "--continue")
    assert run(monkeypatch, *words) == 0
    checkpoints = {path: path.read_bytes() for path in (disk.folder / TRAINED).glob("*.pt")}
    assert len(checkpoints) == 3
    disk.leave(0)
    longer = (*words[:3], "--epochs", "3", *words[5:])
    assert run(monkeypatch, *longer) == 2
    assert "cannot be written (No space left on device)" in capfd.readouterr().err.strip().splitlines()[-1]
    assert all(path.read_bytes() == content for path, content in checkpoints.items())
    disk.leave(2000)
    assert run(monkeypatch, *longer) == 0
    last = json.loads((disk.folder / TRAINED / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["epoch"] == 3 and not [path for path in disk.files() if "/." in f"/{path}"]
