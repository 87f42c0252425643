import json
import os
import sys

import numpy as np
import pytest

from udeansr.cli.plan_and_preprocess import main
from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.lock import LOCK_FILE, locked

NAME = "Dataset001_Tiny"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with a raw dataset of texture, and no CUDA."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for variable in ("UDEANSR_RAW", "UDEANSR_PREPROCESSED"):
        monkeypatch.delenv(variable, raising=False)
    rng = np.random.default_rng(0)
    for group, shape, mm in (("sourceHR", (16, 48, 48), (2, 1, 1)), ("targetLR", (8, 24, 24), (4, 2, 2))):
        for number in range(2):
            voxels = rng.integers(400, 1000, shape).astype(np.int16)
            spacing_mm = (float(mm[0]), float(mm[1]), float(mm[2]))
            path = tmp_path / "udeansr_raw" / NAME / group / f"{group}{number}.nii.gz"
            write_volume(Volume(voxels, Geometry(shape, spacing_mm)), path)
    return tmp_path


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command; gives its exit status and what it printed on both channels."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["udeansr_plan_and_preprocess", *arguments, "--processes", "1"])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


def test_from_raw_images_to_arrays_with_every_value_told(here, command):
    status, out, err = command("-d", "001")
    assert status == 0, err
    folder = here / "udeansr_preprocessed" / NAME
    assert (folder / "fingerprint.json").is_file()
    plan = json.loads((folder / "plans.json").read_text())
    assert list(plan["configurations"]) == ["x2x2x2"]
    assert (folder / "x2x2x2" / "sourceHR").is_dir()
    assert "raw datasets: udeansr_raw (default)" in out
    assert "preprocessed: udeansr_preprocessed (default)" in out
    assert f"{NAME}: 2 sourceHR, 2 targetLR" in out
    for word in ("transfer", "width", "noise", "gain", "new, for a CPU, as there is no CUDA device"):
        assert word in out
    for key, reason in plan["configurations"]["x2x2x2"]["reasons"].items():
        assert key in out
        assert reason in out
    assert out.rstrip().endswith("next: udeansr_train 001 x2x2x2")
    _, out, _ = command("-d", "1", "--preprocessed", "udeansr_preprocessed", "-c", "x2x2x2")
    assert out.rstrip().endswith("next: udeansr_train 001 x2x2x2 --preprocessed udeansr_preprocessed")


def test_an_edited_plan_is_kept_until_the_images_change_or_a_new_one_is_asked_for(here, command):
    plans = here / "udeansr_preprocessed" / NAME / "plans.json"
    assert command("-d", "1", "--no-preprocess")[0] == 0
    edited = json.loads(plans.read_text())
    edited["configurations"]["long"] = {"inherits_from": "x2x2x2", "size": {"epochs": 77}}
    plans.write_text(json.dumps(edited))

    _, out, _ = command("-d", "1", "--no-preprocess", "--memory-gb", "24")
    assert "kept: the images did not change; --plan-again makes a new one" in out
    assert "configuration long (inherits from x2x2x2)" in out
    assert json.loads(plans.read_text()) == edited

    _, out, _ = command("-d", "1", "--no-preprocess", "--memory-gb", "24", "--plan-again")
    assert "new, for --memory-gb 24" in out
    assert "the earlier plan, with what was edited in it, is now" in out
    assert json.loads(plans.with_name("plans_earlier.json").read_text()) == edited
    assert json.loads(plans.read_text())["configurations"]["x2x2x2"]["size"]["features"] == 64

    changed = here / "udeansr_raw" / NAME / "targetLR" / "targetLR0.nii.gz"
    voxels = np.random.default_rng(7).integers(400, 1000, (8, 24, 24)).astype(np.int16)
    write_volume(Volume(voxels, Geometry((8, 24, 24), (4.0, 2.0, 2.0))), changed)
    _, out, _ = command("-d", "1", "--no-preprocess")
    assert "(new, for a CPU" in out
    assert json.loads(plans.read_text())["configurations"]["x2x2x2"]["size"]["features"] == 32


def test_planning_twice_writes_the_same_files(here, command):
    folder = here / "udeansr_preprocessed" / NAME
    written = []
    for _ in range(2):
        assert command("-d", NAME, "--no-preprocess", "--plan-again", "--memory-gb", "12")[0] == 0
        written.append([(folder / name).read_bytes() for name in ("fingerprint.json", "plans.json")])
    assert written[0] == written[1]


def test_verify_only_writes_nothing(here, command):
    status, out, _ = command("-d", "1", "--verify-only")
    assert (status, out.splitlines()[-1]) == (0, "no faults")
    assert not (here / "udeansr_preprocessed").exists()


@pytest.mark.parametrize("flags", [["--verify-only"], []])
def test_faults_end_the_command_with_status_2_one_line_each(here, command, flags):
    bad = [here / "udeansr_raw" / NAME / group / "bad.nii.gz" for group in ("sourceHR", "targetLR")]
    for path in bad:
        path.write_bytes(b"no image")
    status, _, err = command("-d", "1", *flags)
    assert status == 2
    for path in bad:
        assert f"{path.relative_to(here)}: cannot be read" in err
    assert "Traceback" not in err
    assert not (here / "udeansr_preprocessed").exists()


def test_roots_can_be_given_and_several_datasets_done(here, command):
    (here / "udeansr_raw").rename(here / "elsewhere")
    (here / "elsewhere" / NAME).rename(here / "elsewhere" / "Dataset002_Other")
    status, _, err = command("-d", "1", "--raw", "elsewhere", "--verify-only")
    assert status == 2
    assert "dataset 1: not in elsewhere (--raw), which has Dataset002_Other" in err
    status, out, _ = command("-d", "2", "-d", "Dataset002_Other", "--raw", "elsewhere", "--verify-only")
    assert (status, out.count("no faults")) == (0, 2)


def test_a_configuration_that_is_not_planned_is_told(here, command):
    status, _, err = command("-d", "1", "-c", "x4x4x4")
    assert status == 2
    assert "has no configuration 'x4x4x4'; its plan has x2x2x2" in err


def test_the_memory_of_a_cuda_device_is_planned_for(here, command, monkeypatch):
    class Device:
        name, total_memory = "a card", 24 * 2**30

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    asked = []
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: asked.append(str(device)) or Device)
    _, out, _ = command("-d", "1", "--no-preprocess")
    assert asked == ["cuda"]  # the current one, as training takes it, not number 0
    assert "(new, for a card" in out
    assert "of 24 GB" in out
    _, out, _ = command("-d", "1", "--no-preprocess", "--plan-again", "--memory-gb", "0")
    assert "(new, for a CPU, as --memory-gb 0 asks)" in out


def test_beside_another_process_it_is_refused_and_goes_on_after(here, command):
    folder = here / "udeansr_preprocessed" / NAME
    with locked(folder / LOCK_FILE):
        status, _, err = command("-d", "001")
        assert (status, err.count("\n")) == (2, 1)
        assert f"{NAME}: is being written by process {os.getpid()} on " in err
        assert [path.name for path in folder.iterdir()] == [LOCK_FILE]
    assert command("-d", "001")[0] == 0
    assert not (folder / LOCK_FILE).exists()
