"""What the docs tell people to type works, and what they link to is there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "documentation").glob("*.md"), *ROOT.glob("udeansr_raw_example/**/*.md")])
README_TEST_COMMAND = (
    'python3 -m venv .venv && .venv/bin/pip install -q -c constraints-cpu.txt -e ".[dev]" && .venv/bin/pytest'
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_line_of_prose_has_no_more_than_100_characters(page):
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "!", "["))]
    assert not [line for line in lines if len(line) > 100 and page.parent.name == "documentation"]


def test_ci_runs_the_readmes_test_command():
    for page in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        assert README_TEST_COMMAND in (ROOT / page).read_text(encoding="utf-8"), page


def test_every_command_is_told_of():
    scripts = re.findall(r"^(udeansr\w*) = ", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert len(scripts) >= 7
    assert not [script for script in scripts if script not in pages]


@pytest.mark.slow
def test_the_commands_of_getting_started_work_as_written(tmp_path, small_example):
    """The three of the card among them, in a folder where nothing is set; a second time they undo nothing."""
    from udeansr.image.files import read_geometry, read_volume
    from udeansr.image.grid import Scale, same_grid, sr_geometry

    page = (ROOT / "documentation" / "getting_started.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL))
    assert script.count("udeansr_") > 8
    small_example(tmp_path / "udeansr_raw_example")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("UDEANSR_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)

    done = run("bash", "-euo", "pipefail", "-c", script)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "scores" / "summary.json").is_file()
    cases = tmp_path / "udeansr_raw/Dataset001_BrainT1w"
    lr_paths = sorted((cases / "testLR").iterdir())
    assert [path.name for path in lr_paths] == sorted(path.name for path in (tmp_path / "sr").glob("*.nii.gz"))
    for path in lr_paths:
        lr, sr = read_volume(path), read_volume(tmp_path / "sr" / path.name)
        assert same_grid(sr.geometry, sr_geometry(lr.geometry, Scale(2, 2, 2)), tolerance_mm=1e-4)
        assert same_grid(sr.geometry, read_geometry(cases / "testHR" / path.name), tolerance_mm=1e-3)
        assert sr.voxels.dtype == lr.voxels.dtype
    assert run("udeansr_train", "001", "x2x2x2").returncode == 2
    assert run("udeansr_predict", "-i", str(cases / "testLR"), "-o", "sr/").returncode == 2


@pytest.mark.slow
def test_the_commands_and_the_program_of_models_work_as_written(tmp_path, monkeypatch, tiny_configuration):
    from udeansr.cli.models import main as udeansr_models
    from udeansr.cli.predict import main as udeansr_predict
    from udeansr.image.files import read_volume, write_volume
    from udeansr.image.grid import reorient, same_grid
    from udeansr.image.volume import Geometry, Volume

    commands = {"udeansr_models": udeansr_models, "udeansr_predict": udeansr_predict}
    page = (ROOT / "documentation" / "models.md").read_text(encoding="utf-8")
    (script,), (program,) = (re.findall(rf"```{kind}\n(.*?)```", page, flags=re.DOTALL) for kind in ("bash", "python"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDEANSR_MODELS", str(tmp_path / "models"))
    configuration = tiny_configuration(lr_spacing_mm=(4.0, 2.0, 2.0))
    write_training(tmp_path / "udeansr_results/Dataset001_BrainT1w/x2x2x2/supervised/best.pt", configuration)
    grid = Geometry((7, 30, 26), (4.0, 2.0, 2.0), (3.0, 1.0, -8.0))
    voxels = np.random.default_rng(0).gamma(2, 100, grid.shape).astype(np.float32)
    write_volume(reorient(Volume(voxels, grid), "LSA"), tmp_path / "lr" / "a_T1w.nii.gz")
    for line in script.splitlines():
        name, *words = shlex.split(line)
        monkeypatch.setattr(sys, "argv", [name, *words])
        with pytest.raises(SystemExit) as left:
            commands[name]()
        assert not left.value.code, line
    exec(compile(program, "models.md", "exec"), {})
    found, expected = read_volume(tmp_path / "sr.nii.gz"), read_volume(tmp_path / "sr" / "a_T1w.nii.gz")
    expected = reorient(expected, found.geometry.orientation)
    assert same_grid(found.geometry, expected.geometry)
    np.testing.assert_allclose(found.voxels, expected.voxels, atol=0.01 * expected.voxels.max())


def test_the_programs_of_python_work_as_written(tmp_path, monkeypatch, tiny_configuration, capsys):
    """With the model that ships; where none of its name does, with a tiny one that is called so."""
    import nibabel

    from udeansr.image.files import read_volume, write_volume
    from udeansr.image.volume import Geometry, Volume
    from udeansr.models.export import ExportSettings, export_model
    from udeansr.models.registry import find_named

    page = (ROOT / "documentation" / "python.md").read_text(encoding="utf-8")
    (name,) = set(re.findall(r'SuperResolver\.load\("([\w-]+)"', page))
    spacing_mm = (2.0, 1.75, 1.75)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UDEANSR_MODELS", str(tmp_path / "models"))
    if find_named(name) is None:
        training = tmp_path / "training" / "best.pt"
        write_training(training, tiny_configuration("x2x2x1", lr_spacing_mm=spacing_mm))
        export_model(training, tmp_path / "models" / f"{name}.zip", ExportSettings(name=name, contrast="T1w"))
    rng = np.random.default_rng(0)
    grid = Geometry((7, 30, 26), spacing_mm, (3.0, 1.0, -8.0))
    for case in ("a_T1w", "b_T1w"):
        voxels = rng.gamma(2, 100, grid.shape).astype(np.float32)
        write_volume(Volume(voxels, grid), tmp_path / "lr" / f"{case}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.ones((26, 30, 7, 2)), np.eye(4)), tmp_path / "lr" / "c_bold.nii.gz")
    programs = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    known = {"__name__": "python.md"}
    for program in programs[:-1]:
        exec(compile(program, "python.md", "exec"), known)
    told = capsys.readouterr().out
    assert f"{name} " in told and "consistent with its LR" in told
    assert "c_bold.nii.gz: the nibabel image: a 4-D image of 2 volumes" in told
    assert sorted(path.name for path in (tmp_path / "sr").iterdir()) == ["a_T1w.nii.gz", "b_T1w.nii.gz"]
    alone = {path: read_volume(path).voxels for path in (tmp_path / "sr").iterdir()}
    for path in (*alone, tmp_path / "lr" / "c_bold.nii.gz"):
        path.unlink()
    exec(compile(programs[-1], "python.md", "exec"), known)
    for path, voxels in alone.items():
        assert voxels.shape == (7, 60, 52)
        np.testing.assert_array_equal(read_volume(path).voxels, voxels)
    assert read_volume(tmp_path / "uncertainty.nii.gz").voxels.min() >= 0


def write_training(path, configuration):
    """The checkpoint of a tiny UDEAN whose weights do something."""
    from udeansr.methods import build_method, parse_settings
    from udeansr.planning.plan import Plan
    from udeansr.training.checkpoint import KEYS, save_checkpoint

    torch.manual_seed(0)
    method = build_method("udean", configuration, parse_settings("udean", [])).requires_grad_(False)
    for parameter in method.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
    state = {key: {} for key in KEYS if key not in ("format", "version")} | {
        "plan": Plan("Dataset001_BrainT1w", "SPL", 1.1, {configuration.name: configuration}).as_dict(),
        "configuration": configuration.name,
        "method": "udean",
        "weights": method.state_dict(),
    }
    path.parent.mkdir(parents=True)
    save_checkpoint(path, state)
