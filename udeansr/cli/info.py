"""``udeansr info``: what is installed and what lies where. Reads names; loads no image, and torch only when asked."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from udeansr import __version__
from udeansr.paths import GROUPS, Root, dataset_folders, preprocessed_root, raw_root, results_root

PACKAGES = ("torch", "numpy", "scipy", "SimpleITK", "batchgenerators", "acvl-utils", "typer")


def info(
    devices: Annotated[bool, typer.Option("--devices", help="Ask torch for its devices (takes seconds).")] = False,
    raw: Annotated[Path | None, typer.Option(help="Root of raw datasets.")] = None,
    preprocessed: Annotated[Path | None, typer.Option(help="Root of plans and preprocessed arrays.")] = None,
    results: Annotated[Path | None, typer.Option(help="Root of trained models.")] = None,
) -> None:
    """Show versions, devices, roots, datasets and trained models."""
    print(f"udeansr {__version__}, Python {platform.python_version()}, {os.cpu_count()} CPU cores")
    print("packages:", ", ".join(f"{package} {_version(package)}" for package in PACKAGES))
    if devices:
        print("devices:", ", ".join(_devices()))
    raw_folder, plans_folder, models_folder = raw_root(raw), preprocessed_root(preprocessed), results_root(results)
    _show("datasets", raw_folder, [_dataset(folder) for folder in dataset_folders(raw_folder)])
    plans = [f"{folder.name}: {', '.join(_plan(folder))}" for folder in dataset_folders(plans_folder)]
    _show("plans and arrays", plans_folder, plans)
    models = sorted(models_folder.folder.glob("Dataset*/*/*/best.pt"))
    _show("models", models_folder, [str(path.parent.relative_to(models_folder.folder)) for path in models])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _devices() -> list[str]:
    import torch

    names = [f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(torch.cuda.device_count())]
    return [*names, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def _show(title: str, root: Root, lines: list[str]) -> None:
    print(f"{title} in {root}:")
    for line in lines or ["none"]:
        print(f"  {line}")


def _dataset(folder: Path) -> str:
    """A dataset's name and how many images each of its groups has."""
    counts = [
        (group, len([c for c in (folder / group).iterdir() if not c.name.startswith(".")]))
        for group in GROUPS
        if (folder / group).is_dir()
    ]
    return f"{folder.name}: " + ", ".join(f"{group} {count}" for group, count in counts)


def _plan(folder: Path) -> list[str]:
    """What is there of planning: the files of the plan, and the configurations that have arrays."""
    return [child.name for child in sorted(folder.iterdir()) if not child.name.startswith(".")] or ["nothing"]
