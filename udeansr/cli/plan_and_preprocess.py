"""``udeansr_plan_and_preprocess``: raw dataset -> fingerprint -> plan -> arrays. Parses, calls, reports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from udeansr.cli.command import command_line

if TYPE_CHECKING:
    from udeansr.paths import Root
    from udeansr.planning.fingerprint import Fingerprint
    from udeansr.planning.plan import Plan
    from udeansr.planning.raw_dataset import RawDataset

EARLIER_PLANS_FILE = "plans_earlier.json"


def plan_and_preprocess(
    dataset: Annotated[
        list[str], typer.Option("-d", "--dataset", help="Number or name: 1, 001, Dataset001_Name. Again for more.")
    ],
    verify_only: Annotated[bool, typer.Option("--verify-only", help="Check the images, and nothing else.")] = False,
    configuration: Annotated[
        list[str] | None,
        typer.Option("-c", "--configuration", help="Preprocess this one only. Again for more. Default: all."),
    ] = None,
    preprocess: Annotated[
        bool, typer.Option("--preprocess/--no-preprocess", help="Whether to make the arrays after planning.")
    ] = True,
    memory_gb: Annotated[
        float | None,
        typer.Option(min=0, help="GPU memory to plan for; 0: a CPU. Default: what CUDA reports, else a CPU."),
    ] = None,
    plan_again: Annotated[
        bool, typer.Option("--plan-again", help="Make a new plan even if the images did not change.")
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Worker processes. Default: one a core, up to 8.")
    ] = None,
    raw: Annotated[Path | None, typer.Option(help="Folder of raw datasets.")] = None,
    preprocessed: Annotated[Path | None, typer.Option(help="Folder for plans and arrays.")] = None,
) -> None:
    """Check a raw dataset, measure it, plan a training for it and make the arrays that training reads.

    An existing plan is kept, with what was edited in it, as long as the images do not change and --plan-again is
    not given. A plan that is replaced stays beside the new one as plans_earlier.json.
    """
    from udeansr.paths import find_dataset, preprocessed_root, raw_root
    from udeansr.planning.integrity import check_dataset
    from udeansr.planning.raw_dataset import load_raw_dataset

    source, target = raw_root(raw), preprocessed_root(preprocessed)
    workers = processes or min(8, os.cpu_count() or 1)
    print(f"raw datasets: {source}")
    if not verify_only:
        print(f"preprocessed: {target}")
    for folder in [find_dataset(source, name) for name in dataset]:
        loaded = load_raw_dataset(folder)
        images = ", ".join(f"{len(cases)} {group}" for group, cases in loaded.groups.items() if cases)
        print(f"\n{loaded.name}: {images}")
        if verify_only:
            mended = len(check_dataset(loaded, workers))
            print("no faults" + (f"; {mended} things will be mended, see above" if mended else ""))
            continue
        plan = _planned(loaded, target, workers, memory_gb, plan_again)
        if preprocess:
            _preprocess(loaded, plan, target, configuration, workers)
        print(f"next: udeansr_train {loaded.name[7:10]} {next(iter(plan.configurations))}")


def _planned(raw: RawDataset, target: Root, processes: int, memory_gb: float | None, plan_again: bool) -> Plan:
    """Measure the dataset, then keep its plan or make one; all of it is printed."""
    from udeansr.planning.fingerprint import FINGERPRINT_FILE, extract_fingerprint
    from udeansr.planning.plan import PLANS_FILE, Plan
    from udeansr.planning.planner import make_plan

    folder = target.folder / raw.name
    fingerprint = extract_fingerprint(raw, processes)
    unchanged = _is_saved(fingerprint, folder / FINGERPRINT_FILE)
    plans = folder / PLANS_FILE
    print(f"\nfingerprint: {folder / FINGERPRINT_FILE}")
    print(_fingerprint_table(fingerprint))
    if unchanged and plans.is_file() and not plan_again:
        plan = Plan.load(plans)
        print(f"\nplan: {plans} (kept: the images did not change; --plan-again makes a new one)")
    else:
        memory, origin = _memory(memory_gb)
        plan = make_plan(fingerprint, memory)
        fingerprint.save(folder / FINGERPRINT_FILE)
        if plans.is_file():
            plans.replace(folder / EARLIER_PLANS_FILE)
            print(f"\nthe earlier plan, with what was edited in it, is now {folder / EARLIER_PLANS_FILE}")
        plan.save(plans)
        print(f"\nplan: {plans} (new, for {origin})")
    print(_plan_table(plan))
    return plan


def _is_saved(fingerprint: Fingerprint, path: Path) -> bool:
    """Whether this very fingerprint lies in a file; a file that cannot be read holds another."""
    from udeansr.errors import UdeansrError

    try:
        return type(fingerprint).load(path).as_dict() == fingerprint.as_dict()
    except UdeansrError:
        return False


def _memory(memory_gb: float | None) -> tuple[float | None, str]:
    """The memory to plan for (None: a CPU), and where that comes from."""
    if memory_gb is not None:
        return (memory_gb, f"--memory-gb {memory_gb:g}") if memory_gb else (None, "a CPU, as --memory-gb 0 asks")
    import torch

    if not torch.cuda.is_available():
        return None, "a CPU, as there is no CUDA device; --memory-gb plans for another machine"
    properties = torch.cuda.get_device_properties(0)
    return properties.total_memory / 2**30, f"{properties.name}"


def _preprocess(raw: RawDataset, plan: Plan, target: Root, names: list[str] | None, processes: int) -> None:
    from udeansr.preprocessing.preprocessor import preprocess

    folder = target.folder / raw.name
    for name in names or list(plan.configurations):
        preprocess(raw, plan, name, folder, processes)
        print(f"arrays: {folder / name}")


def _fingerprint_table(fingerprint: Fingerprint) -> str:
    """The facts that a person judges by, a line each."""
    from udeansr.planning.cohort_grid import in_mm

    measured = fingerprint.degradation
    rows = [
        ("axes (Z, Y, X)", f"towards {', '.join(fingerprint.orientation)}; slabs along {fingerprint.orientation[0]}")
    ]
    for group, cohort in fingerprint.cohorts.items():
        shape = " x ".join(f"{n:g}" for n in cohort.shape)
        rows.append(
            (group, f"{cohort.images} images, median {shape} voxels of {in_mm(cohort.spacing_mm)}, "
             f"{cohort.foreground_fraction:.0%} foreground")
        )  # fmt: skip
    rows.append(("degradation", f"LR beside HR truncated to its k-space (misfit {measured.residual:.2f} decades)"))
    places = [min(range(len(measured.frequencies)), key=lambda i: abs(measured.frequencies[i] - f)) for f in _SHOWN]
    for axis, curve, width in zip("ZYX", measured.transfer, measured.width_mm, strict=True):
        left = " ".join(f"{curve[i]:.2f}" for i in places)
        rows.append(
            (f"  along {axis}", f"transfer {left} at {' '.join(map(str, _SHOWN))} Nyquist; width {width:.2f} mm")
        )
    rows.append(("  noise", f"{measured.noise:.4f} of the level that becomes 1"))
    rows.append(("  gain", f"{measured.gain:.3f} between the normalised cohorts"))
    rows.append(
        ("level gain", f"{fingerprint.level_gain:.3f}, normalised LR over HR of the same person, by degrading HR")
    )
    return _table(rows)


_SHOWN = (0.25, 0.5, 0.75, 1.0)


def _plan_table(plan: Plan) -> str:
    """Each configuration: every value and why."""
    parts = []
    for name, configuration in plan.configurations.items():
        reasons = configuration.reasons
        rows = [
            ("orientation", plan.orientation, reasons.get("orientation", "")),
            ("lr_gain", f"{plan.lr_gain:g}", reasons.get("lr_gain", "")),
        ]
        for key in (key for key in reasons if hasattr(configuration, key)):
            rows.append((key, _text(getattr(configuration, key)), reasons[key]))
        width = max(len(value) for _, value, _ in rows)
        inherits = f" (inherits from {configuration.inherits_from})" if configuration.inherits_from else ""
        table = _table([(key, f"{value:<{width}}  {why}") for key, value, why in rows])
        parts.append(f"  configuration {name}{inherits}\n{table}")
    return "\n".join(parts)


def _table(rows: list[tuple[str, str]]) -> str:
    width = max(len(key) for key, _ in rows)
    return "\n".join(f"  {key:<{width}}  {text}".rstrip() for key, text in rows)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " x ".join(f"{number:.4g}" for number in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def main() -> None:
    """Run the command."""
    command_line(plan_and_preprocess, "udeansr_plan_and_preprocess")
