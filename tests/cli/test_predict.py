import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from udeansr.cli.predict import main
from udeansr.image.files import list_images, read_volume, write_volume
from udeansr.image.volume import Geometry, Volume

GRID = Geometry((5, 6, 7), (4.0, 2.0, 2.0))
CUBIC = ("--method", "tricubic", "--scale", "x2x2x2", "--device", "cpu")


def ended(monkeypatch, *words: object) -> int:
    """Run the command in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["udeansr_predict", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.fixture
def lr(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    voxels = np.random.default_rng(0).integers(1, 500, GRID.shape).astype(np.int16)
    for name in ("a.nii.gz", "b.mha"):
        write_volume(Volume(voxels, GRID), tmp_path / "lr" / name)
    return tmp_path / "lr"


def test_a_folder_is_predicted_and_the_last_line_tells(lr, monkeypatch, capsys):
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", *CUBIC) == 0
    assert capsys.readouterr().out == "2 of 2 done: sr\n"
    assert [path.name for path in list_images(Path("sr"))] == ["a.nii.gz", "b.mha"]
    assert read_volume(Path("sr/a.nii.gz")).voxels.dtype == np.int16
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", *CUBIC) == 2
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", *CUBIC, "--overwrite", "--float") == 0
    assert read_volume(Path("sr/a.nii.gz")).voxels.dtype == np.float32


def test_a_page_is_written_where_it_is_asked_for_and_its_path_is_the_last_line(lr, monkeypatch, capsys):
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", *CUBIC, "--json", "--report") == 0
    assert capsys.readouterr().out.splitlines() == ["2 of 2 done: sr", "sr/report.html"]
    text = Path("sr/report.html").read_text(encoding="utf-8")
    assert text.count('id="case-') == 2 and "tricubic" in text and str(lr.parent) not in text
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", *CUBIC, "--continue", "--report") == 0
    words = ("--overwrite", "--report", "--num-parts", "2")
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", *CUBIC, *words) == 2
    assert "udeansr_report sr -i lr" in capsys.readouterr().err


def test_a_bad_file_is_told_in_one_line_and_by_the_status(lr, monkeypatch, capsys):
    (lr / "c.nii").write_bytes(b"no image")
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", *CUBIC) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1] == "udeansr_predict: 2 of 3 done, 1 failed: c.nii"
    assert "Traceback" not in told.err
    assert [path.name for path in list_images(Path("sr"))] == ["a.nii.gz", "b.mha"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("-i", "lr", "-o", "sr"),
            "no model fits a.nii.gz (contrast unknown, 4 x 2 x 2 mm as SPL); the nearest here is",
        ),
        (("-i", "no", "-o", "sr", *CUBIC), "no: no such file or folder; expected .nii.gz"),
        (("-i", "lr", "-o", "lr", *CUBIC), "lr: input and output are one folder"),
        (("-i", "lr", "-o", "sr", "-m", "no.pt"), "no.pt: there is no such checkpoint"),
        (
            ("-i", "lr", "-o", "sr", "--method", "tricubic", "--scale", "2"),
            "scale '2' is not a scale; expected in-plane",
        ),
        (
            ("-i", "lr", "-o", "sr", *CUBIC, "--checkpoint", "last"),
            "--checkpoint last is none; expected best, final, la",
        ),
        (
            ("-i", "lr", "-o", "sr", *CUBIC, "--continue", "--overwrite"),
            "--continue keeps what is there, --overwrite replaces",
        ),
        (("-i", "lr", "-o", "sr", *CUBIC, "--stride", "0"), "stride 0 does not go with"),
        (("-i", "lr", "-o", "sr", *CUBIC, "--precision", "half"), "precision 'half' is none; expected auto, bf16"),
        (("-i", "lr", "-o", "sr", *CUBIC[:4], "--device", "tpu9"), "device 'tpu9' is no"),
        (("-i", "lr", "-o", "sr", "-d", "5"), "dataset 5: not in udeansr_results (default)"),
    ],
)
def test_the_users_mistakes_are_one_line_and_status_2(lr, monkeypatch, capsys, words, line):
    assert ended(monkeypatch, *words) == 2
    told = capsys.readouterr()
    assert told.out == "" and not Path("sr").exists()
    assert told.err.startswith(f"udeansr_predict: {line}") and told.err.count("\n") == 1


def test_a_mistyped_option_is_refused(lr, monkeypatch, capsys):
    assert ended(monkeypatch, "-i", "lr", "-o", "sr", "--strides", "2") == 2
    assert "--strides" in capsys.readouterr().err


@pytest.mark.slow
def test_the_model_in_the_box_and_the_job_array_of_the_documentation(tmp_path):
    """A bare installation, no trained model: the first and the last of four jobs share two images out."""
    page = Path(__file__).parents[2] / "documentation" / "prediction.md"
    script = page.read_text(encoding="utf-8").split("```sbatch\n")[1].split("```")[0]
    grid = Geometry((5, 24, 26), (2.0, 1.736, 1.736))
    rng = np.random.default_rng(0)
    for number in range(2):
        voxels = rng.integers(1, 500, grid.shape).astype(np.int16)
        write_volume(Volume(voxels, grid), tmp_path / "lr" / f"sub-{number}_T1w.nii.gz")
    (tmp_path / "job.sh").write_text(script)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    told = []
    for number in (0, 3):
        environment = {**os.environ, "PATH": path, "SLURM_ARRAY_TASK_ID": str(number), "OMP_NUM_THREADS": "1"}
        job = subprocess.run(["bash", "job.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert job.returncode == 0, job.stderr
        told.append(job.stdout.strip())
    assert told == ["1 of 1 done: sr", "0 of 0 done: sr"]
    assert [path.name for path in list_images(tmp_path / "sr")] == ["sub-0_T1w.nii.gz"]
    assert read_volume(tmp_path / "sr" / "sub-0_T1w.nii.gz").voxels.shape == (5, 48, 52)


@pytest.mark.slow
def test_ctrl_c_leaves_whole_files_and_continue_finishes(tmp_path):
    grid = Geometry((32, 80, 80), (4.0, 2.0, 2.0))  # large enough that the signal comes long before the end
    voxels = np.random.default_rng(0).integers(1, 500, grid.shape).astype(np.int16)
    for number in range(8):
        write_volume(Volume(voxels, grid), tmp_path / "lr" / f"case{number:02}.nii.gz")
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # else not, as a job behind an &
    code = f"{heard}; from udeansr.cli.predict import main; main()"
    command = [sys.executable, "-c", code, "-i", str(tmp_path / "lr"), "-o", str(tmp_path / "sr"), *CUBIC]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    while not (tmp_path / "sr" / "case00.nii.gz").exists():
        time.sleep(0.02)
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130 and "Traceback" not in told
    assert "stopped by the user" in told.splitlines()[-1]
    left = sorted((tmp_path / "sr").iterdir())
    assert 1 <= len(left) < 8 and all(path.name.startswith("case") for path in left)
    for path in left:
        assert read_volume(path).voxels.shape == (64, 160, 160)
    done = subprocess.run([*command, "--continue"], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith(f"{8 - len(left)} of 8 done, {len(left)} were there already")
    assert len(list_images(tmp_path / "sr")) == 8


def test_several_models_predict_as_an_ensemble(lr, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    for name in ("one", "two"):
        tiny_checkpoint(tmp_path / f"{name}.pt")
    words = ("-m", "one.pt", "-m", "two.pt", "--device", "cpu", "--json")
    assert ended(monkeypatch, "-i", "lr/a.nii.gz", "-o", "sr", *words) == 0
    assert '"ensemble of one.pt, two.pt"' in Path("sr/a.json").read_text()
    assert ended(monkeypatch, "-i", "lr", "-o", "other", "-m", "one.pt", "-m", "gone.pt") == 2
    assert "gone.pt: there is no such checkpoint" in capsys.readouterr().err
