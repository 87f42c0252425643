"""On what a training is computed, and by which program: what has to be known to do it again."""

from __future__ import annotations

import functools
import json
import platform
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import torch

import udeansr
from udeansr import distributed
from udeansr.device import describe_device
from udeansr.strict_json import PositiveInt

ROOT = Path(udeansr.__file__).parents[1]


@dataclass(frozen=True)
class Computed:
    """On what a training was computed last.

    Attributes:
        device: in torch's words.
        precision: of its networks.
        torch, python: their versions.
        machine: the device in words a person knows it by, and the system.
        packages: versions of what udeansr depends on, by name.
        commit: of udeansr, with ``-dirty`` where files were changed; None where it was installed without.
        command: as it was typed; empty where it was called from Python.
        processes: that trained together.
    """

    device: str
    precision: str
    torch: str = torch.__version__
    python: str = platform.python_version()
    machine: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    command: str = ""
    processes: PositiveInt = 1

    @classmethod
    def here(cls, device: torch.device, precision: str) -> Computed:
        """What is computed by this process."""
        machine = f"{describe_device(device)}, {platform.platform()}"
        return cls(
            str(device),
            precision,
            machine=machine,
            packages=_packages(),
            commit=_commit(ROOT),
            command=_command(),
            processes=distributed.size(),
        )

    def __str__(self) -> str:
        """All but the other packages, in a line."""
        commit = f" (commit {self.commit})" if self.commit else ""
        versions = f"udeansr {udeansr.__version__}{commit}, torch {self.torch}, Python {self.python}"
        together = f", {self.processes} processes" if self.processes > 1 else ""
        command = f": {self.command}" if self.command else ""
        return f"{versions}, on {self.machine}{together}, in {self.precision}{command}"


def _packages() -> dict[str, str]:
    """The versions that are installed of what the package requires."""
    try:
        required = [line for line in metadata.requires("udeansr") or () if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        return {}
    names = [match[0] for line in required if (match := re.match(r"[\w.-]+", line))]
    found = {}
    for name in sorted(names):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def _commit(root: Path) -> str | None:
    """The commit of the clone that is run, if it is one, else the one that pip installed from."""
    if (root / ".git").exists():
        describe = [
            "git",
            "--no-optional-locks",
            "-C",
            str(root),
            "describe",
            "--always",
            "--dirty",
            "--abbrev=40",
            "--exclude=*",
        ]
        try:
            done = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip() or None
    try:
        origin = json.loads(metadata.distribution("udeansr").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    return origin.get("vcs_info", {}).get("commit_id")


def _command() -> str:
    """The command line, if this is one of ours."""
    name = Path(sys.argv[0]).name
    return shlex.join([name, *sys.argv[1:]]) if name.startswith("udeansr") else ""
