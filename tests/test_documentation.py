"""What the docs tell people to type works, and what they link to is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_ci_runs_the_readmes_test_command():
    for page in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        assert README_TEST_COMMAND in (ROOT / page).read_text(encoding="utf-8"), page


def test_every_command_is_told_of():
    scripts = re.findall(r"^(udeansr\w*) = ", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert len(scripts) >= 7
    assert not [script for script in scripts if script not in pages]


@pytest.mark.slow
def test_the_commands_of_getting_started_work_as_written(tmp_path):
    page = (ROOT / "documentation" / "getting_started.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL))
    assert script.count("udeansr_") > 8
    (tmp_path / "udeansr_raw_example").symlink_to(ROOT / "udeansr_raw_example")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("UDEANSR_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(list((tmp_path / "sr").glob("*.nii.gz"))) == 2
    assert (tmp_path / "scores" / "summary.json").is_file()
