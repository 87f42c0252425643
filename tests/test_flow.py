"""The commands as a family: their help, and what a refusal costs; test_documentation.py runs them one after another."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume

SCRIPTS = Path(sys.executable).parent
STAGES = ("simulate", "plan_and_preprocess", "train", "predict", "evaluate", "benchmark", "demo")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("UDEANSR_")}
    command = [str(SCRIPTS / words[0]), *words[1:]]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


def succeed(folder: Path, *words: str) -> str:
    done = run(folder, *words)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_help_is_one_for_command_and_subcommand_and_loads_nothing_heavy(stage, tmp_path):
    own = succeed(tmp_path, f"udeansr_{stage}", "-h")
    assert "Usage: udeansr_" in own
    assert own.split("Options:")[1] == succeed(tmp_path, "udeansr", stage, "--help").split("Options:")[1]
    code = (
        f"import sys; sys.argv = ['udeansr_{stage}', '-h']\n"
        f"from udeansr.cli.{stage} import main\n"
        "try: main()\n"
        "except SystemExit: print({'torch', 'numpy', 'SimpleITK', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("set()\n")


def test_the_umbrella_tells_its_version_and_its_commands(tmp_path):
    assert succeed(tmp_path, "udeansr", "--version").startswith("udeansr 0.")
    shown = succeed(tmp_path, "udeansr", "-h")
    assert all(stage in shown for stage in (*STAGES, "info"))


def test_a_refusal_does_not_wait_for_torch(tmp_path):
    """No model fits, which is known from headers and descriptions alone."""
    voxels = np.ones((8, 40, 40), dtype=np.int16)
    write_volume(Volume(voxels, Geometry(voxels.shape, (1.5, 1.5, 1.5))), tmp_path / "lr" / "a_T2w.nii.gz")
    code = (
        "import sys; sys.argv = ['udeansr_predict', '-i', 'lr', '-o', 'sr']\n"
        "from udeansr.cli.predict import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, {'torch', 'scipy.signal', 'skimage'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "a_T2w.nii.gz" in done.stderr and "-m brain-t1w-x2x2x1" in done.stderr
    assert done.stdout == "2 set()\n"
