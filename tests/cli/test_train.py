from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from udeansr.cli.train import main
from udeansr.planning.configuration import Configuration
from udeansr.planning.plan import Plan
from udeansr.preprocessing.preprocessed_dataset import COMPLETE_FILE

CONFIGURATION = Configuration.of(
    name="x2x2x1",
    scale="x2x2x1",
    lr_spacing_mm=(2.0, 2.0, 2.0),
    hr_spacing_mm=(2.0, 1.0, 1.0),
    slab_slices=3,
    patch_size=(8, 8),
    rotate90=True,
    batch_size=2,
    features=8,
    groups=1,
    blocks=1,
    discriminator_features=2,
    epochs=1,
    iterations_per_epoch=2,
)
PLAN = Plan("Dataset001_Tiny", "SPL", 1.0, {"x2x2x1": CONFIGURATION})
RESULTS = Path("udeansr_results/Dataset001_Tiny/x2x2x1/supervised")
CPU = ("--device", "cpu", "--precision", "fp32")


@pytest.fixture(autouse=True)
def dataset(tmp_path, monkeypatch, tiny_dataset) -> Path:
    """A preprocessed dataset in the default root of the current folder."""
    monkeypatch.chdir(tmp_path)
    return tiny_dataset(PLAN)


def ended(monkeypatch, *words: object) -> int:
    """Run the command in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["udeansr_train", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_it_trains_as_the_card_says_and_tells_where_and_what_next(monkeypatch, capsys) -> None:
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--set", "supervised.alpha=0.25", "--clip", 1) == 0
    told = capsys.readouterr().out
    assert "preprocessed: udeansr_preprocessed (default)\nresults:      udeansr_results (default)" in told
    assert "slabs of 3 x 8 x 8 LR voxels, 2 of each cohort" in told
    assert "supervised: 8 features, 1 groups of 1 blocks; 1 epochs of 2 iterations" in told
    assert f"model:        {RESULTS / 'best.pt'}" in told
    predict = "udeansr_predict -i LR_FOLDER -o SR_FOLDER -d 001 -c x2x2x1 --name supervised"
    assert told.endswith(f"next:         {predict}\n")
    saved = json.loads((RESULTS / "run.json").read_text())
    assert saved["settings"]["alpha"] == 0.25
    assert (saved["run"]["clip"], saved["run"]["epochs"]) == (1, 1)


def test_continued_it_keeps_what_no_flag_says_otherwise(monkeypatch, capsys) -> None:
    flags = (
        "--learning-rate",
        3e-4,
        "--ema",
        0,
        "--validation-cases",
        1,
        "--set",
        "supervised.alpha=0.375",
        "--max-minutes",
        9,
    )
    assert ended(monkeypatch, "1", "x2x2x1", *CPU, *flags) == 0
    assert ended(monkeypatch, "1", "x2x2x1") == 2
    assert "--continue goes on with it, --overwrite begins again" in capsys.readouterr().err
    assert ended(monkeypatch, "1", "x2x2x1", "--continue", "--epochs", 2) == 0
    saved = json.loads((RESULTS / "run.json").read_text())
    assert saved["run"]["learning_rate"] == 3e-4
    assert saved["run"]["ema_decay"] == 0
    assert saved["run"]["epochs"] == 2
    assert saved["run"]["max_minutes"] is None
    assert saved["settings"]["alpha"] == 0.375
    assert ended(monkeypatch, "1", "x2x2x1", "--continue", "--epochs", 3, "--learning-rate", 1e-5) == 2
    assert "run.learning_rate 0.0003 -> 1e-05" in capsys.readouterr().err


def test_one_command_begins_goes_on_and_is_done(dataset, monkeypatch, capsys) -> None:
    """As a cluster job that is submitted again and again; for all configurations too."""
    replace(PLAN, configurations={"x2x2x1": CONFIGURATION.changed(epochs=3)}).save(dataset / "plans.json")
    for configuration in ("x2x2x1", "all"):
        words = ("1", configuration, *CPU, "--continue", "--max-minutes", "0.0001", "--learning-rate", 3e-4)
        epochs = []
        for _ in range(8):
            assert ended(monkeypatch, *words) == 0
            told = capsys.readouterr()
            assert f"model:        {RESULTS / 'best.pt'}" in told.out and "next:         udeansr_predict" in told.out
            epochs.append(json.loads((RESULTS / "metrics.jsonl").read_text().splitlines()[-1])["epoch"])
        assert epochs == [1, 1, 2, 2, 3, 3, 3, 3]
        before = (RESULTS / "latest.pt").read_bytes()
        assert ended(monkeypatch, *words) == 0
        assert (RESULTS / "latest.pt").read_bytes() == before
        shutil.rmtree("udeansr_results")


def test_killed_before_the_first_checkpoint_the_same_command_keeps_its_flags(monkeypatch) -> None:
    assert ended(monkeypatch, "1", "x2x2x1", *CPU, "--learning-rate", 3e-4) == 0
    for path in RESULTS.glob("*.pt"):
        path.unlink()
    (RESULTS / "metrics.jsonl").write_text("")
    assert ended(monkeypatch, "1", "x2x2x1", "--continue") == 0
    assert json.loads((RESULTS / "run.json").read_text())["run"]["learning_rate"] == 3e-4


def test_what_learns_in_prediction_is_a_model_at_once(monkeypatch, capsys) -> None:
    words = ("001", "x2x2x1", *CPU, "--method", "zssr", "--set", "zssr.iterations=50")
    assert ended(monkeypatch, *words) == 0
    told = capsys.readouterr().out
    assert "zssr: 8 features, 1 groups of 1 blocks; 50 iterations on each volume, in prediction\n" in told
    assert told.endswith("next:         udeansr_predict -i LR_FOLDER -o SR_FOLDER -d 001 -c x2x2x1 --name zssr\n")
    assert ended(monkeypatch, *words, "--overwrite", "--epochs", 3, "--max-minutes", 2) == 2
    assert (
        "--epochs and --max-minutes: zssr learns in prediction, on each volume; expected its length as a setting: "
        "--set zssr.iterations=500"
    ) in capsys.readouterr().err
    assert ended(monkeypatch, *words, "--overwrite", "--report") == 2
    assert "zssr learns in prediction, so that its training has no epoch to show" in capsys.readouterr().err


def test_it_ends_with_a_page_also_where_nothing_is_left_to_do(monkeypatch, capsys) -> None:
    page = RESULTS / "training.html"
    for words in ((), ("--continue",)):
        assert ended(monkeypatch, "1", "x2x2x1", *CPU, "--report", *words) == 0
        assert capsys.readouterr().out.endswith(f"page:         {page}\n")
        assert "1 of 1, 2 iterations" in page.read_text(encoding="utf-8")
        page.unlink()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("2", "x2x2x1"), "dataset 2: not in udeansr_preprocessed (default), which has Dataset001_Tiny"),
        (("1", "x2x2x2"), "Dataset001_Tiny has no configuration 'x2x2x2' (did you mean x2x2x1?); its plan has x2x2x1"),
        (("1", "x2x2x1", "--method", "gan"), "there is no method 'gan'; expected udean, "),
        (("1", "x2x2x1", "--method", "tricubic"), "tricubic learns nothing, so there is nothing to train; predict"),
        (("1", "x2x2x1", "--set", "supervised.lamda=1"), "the settings of supervised: unknown key 'lamda'"),
        (("1", "x2x2x1", "--learning-rate", "-1"), "'learning_rate' is -1.0; expected above 0"),
        (("1", "x2x2x1", "--device", "tpu9"), "device 'tpu9' is no device; expected auto or one of cpu"),
        (("1", "x2x2x1", "--device", "cpu", "--precision", "fp16"), "precision fp16 needs CUDA, the device is cpu"),
        (("1", "x2x2x1", "--batch-size", "0"), "'batch_size' is 0; expected at least 1"),
        (("1", "x2x2x1", "--continue", "--overwrite"), "--continue keeps what is there, --overwrite replaces it"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(monkeypatch, capsys, words, line) -> None:
    assert ended(monkeypatch, *words) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert told[-1].startswith("udeansr_train: ")
    assert line in told[-1]
    assert not Path("udeansr_results").exists()


def test_no_plan_and_no_arrays_are_told_with_what_to_do(dataset, monkeypatch, capsys) -> None:
    (dataset / "x2x2x1" / COMPLETE_FILE).unlink()
    assert ended(monkeypatch, "1", "x2x2x1") == 2
    assert "preprocessing is missing or not complete; run udeansr_plan_and_preprocess -d" in capsys.readouterr().err
    (dataset / "plans.json").unlink()
    assert ended(monkeypatch, "1", "x2x2x1") == 2
    assert "there is no plan; make one: udeansr_plan_and_preprocess" in capsys.readouterr().err


def test_an_option_with_a_typo_is_refused(monkeypatch, capsys) -> None:
    assert ended(monkeypatch, "1", "x2x2x1", "--epoch", "3") == 2
    assert "No such option: --epoch" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_saves_says_so_in_a_line_and_training_goes_on(dataset, monkeypatch, capsys) -> None:
    """Ctrl-C reaches the workers as well: the terminal sends it to all. Beside it, no other training is let in."""
    configuration = CONFIGURATION.changed(iterations_per_epoch=1000)
    replace(PLAN, configurations={"x2x2x1": configuration}).save(dataset / "plans.json")
    command = [sys.executable, "-c", "from udeansr.cli.train import main; main()", "1", "x2x2x1", *CPU]
    process = subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 60
    while not (RESULTS / "metrics.jsonl").is_file() or not (RESULTS / "metrics.jsonl").read_text():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1)
    for mode in ("--continue", "--overwrite"):
        assert ended(monkeypatch, "1", "x2x2x1", *CPU, mode) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"udeansr_train: {RESULTS}: is being written by process {process.pid} on ")
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    last = told.strip().splitlines()[-1]
    assert "udeansr_train: stopped after iteration" in last
    assert last.endswith(f"{RESULTS / 'latest.pt'} is written, go on with the same command and --continue")
    assert "Traceback" not in told
    assert ended(monkeypatch, "1", "x2x2x1", "--continue", "--max-minutes", "0.001") == 0
    assert (RESULTS / "final.pt").is_file()


def test_minutes_say_how_long_and_hold_when_it_goes_on(monkeypatch, capsys) -> None:
    monkeypatch.setattr("udeansr.training.timing.seconds_per_iteration", lambda *_: 0.5)
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--minutes", 0.2) == 0
    assert "12 epochs of 2 iterations" in capsys.readouterr().out
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--minutes", 0.2, "--epochs", 3) == 2
    assert "--minutes says how long is trained; leave --epochs" in capsys.readouterr().err
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--continue", "--minutes", 5) == 2
    assert "was begun with --minutes 0.2; leave it out, or go on for longer with --epochs N" in capsys.readouterr().err
    monkeypatch.setattr("udeansr.training.timing.seconds_per_iteration", lambda *_: 9.0)
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--continue", "--minutes", 0.2, "--epochs", 13) == 2
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--continue", "--epochs", 13) == 0
    assert "13 epochs of 2 iterations" in capsys.readouterr().out


def test_runs_have_names_and_no_seed_overwrites_another(monkeypatch, capsys) -> None:
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--seeds", "0,2") == 0
    assert "--name supervised_seed2\n" in capsys.readouterr().out
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--seed", 2) == 2  # it is there
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, "--name", "soft", "--set", "supervised.alpha=0.25") == 0
    names = {path.name: json.loads((path / "run.json").read_text()) for path in RESULTS.parent.iterdir()}
    assert {name: record["run"]["seed"] for name, record in names.items()} == {
        "supervised": 0, "supervised_seed2": 2, "soft": 0,
    }  # fmt: skip
    assert names["soft"]["settings"]["alpha"] == 0.25 and names["soft"]["method"] == "supervised"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--seeds", "0,1", "--seed", 1), "--seeds names all seeds; leave --seed out"),
        (("--seeds", "0,0"), "--seeds 0,0: expected different whole numbers with commas between"),
        (("--seeds", "a"), "--seeds a: expected different whole numbers"),
        (("--name", "../x"), "--name '../x' is no name of a run"),
    ],
)
def test_names_and_seeds_that_are_none_are_refused(monkeypatch, capsys, words, line) -> None:
    assert ended(monkeypatch, "001", "x2x2x1", *CPU, *words) == 2
    assert line in capsys.readouterr().err and not RESULTS.parent.exists()


@pytest.mark.slow
def test_the_cluster_job_of_the_documentation_is_submitted_again_as_it_is(dataset, tmp_path) -> None:
    page = Path(__file__).parents[2] / "documentation" / "training.md"
    script = page.read_text(encoding="utf-8").split("```sbatch\n")[1].split("```")[0]
    assert "#SBATCH --signal=B:TERM@" in script and "\nexec udeansr_train 001 x2x2x2 --continue " in script
    (tmp_path / "job.sh").write_text(script.replace("x2x2x2", "x2x2x1"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    told = []
    for _ in range(2):
        job = subprocess.run(["bash", "job.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert job.returncode == 0, job.stderr
        told.append(job.stderr)
    assert "epoch 1/1" in told[0] and "epoch 1/1" not in told[1]
    assert "done, nothing is left to do" in told[1]
