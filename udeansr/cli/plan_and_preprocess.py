"""``udeansr_plan_and_preprocess``: raw dataset -> fingerprint -> plan -> arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import PlanningMemoryOption, PreprocessedOption, ProcessesOption, RawOption, worker_processes

if TYPE_CHECKING:
    from udeansr.paths import Root
    from udeansr.planning.plan import Plan
    from udeansr.planning.raw_dataset import RawDataset


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
    memory_gb: PlanningMemoryOption = None,
    plan_again: Annotated[
        bool, typer.Option("--plan-again", help="Make a new plan even if the images did not change.")
    ] = False,
    processes: ProcessesOption = None,
    raw: RawOption = None,
    preprocessed: PreprocessedOption = None,
) -> None:
    """Check a raw dataset, measure it, plan a training for it and make the arrays that training reads.

    An existing plan is kept, with what was edited in it, as long as the images do not change and --plan-again is
    not given. A plan that is replaced stays beside the new one as plans_earlier.json.
    """
    from udeansr.lock import LOCK_FILE, locked
    from udeansr.paths import find_dataset, preprocessed_root, raw_root
    from udeansr.planning.integrity import check_dataset
    from udeansr.planning.raw_dataset import load_raw_dataset

    source, target = raw_root(raw), preprocessed_root(preprocessed)
    workers = worker_processes(processes)
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
        with locked(target.folder / loaded.name / LOCK_FILE):
            plan = _planned(loaded, target, workers, memory_gb, plan_again)
            names = configuration or list(plan.configurations)
            if preprocess:
                _preprocess(loaded, plan, target, names, workers)
        if preprocess:
            print(f"next: udeansr_train {loaded.name[7:10]} {names[0] if len(names) == 1 else 'all'}{target.flag}")


def _planned(raw: RawDataset, target: Root, processes: int, memory_gb: float | None, plan_again: bool) -> Plan:
    """See to the plan and print all of it."""
    from udeansr.planning.fingerprint import FINGERPRINT_FILE
    from udeansr.planning.plan import PLANS_FILE
    from udeansr.planning.plan_dataset import facts_folder, plan_dataset
    from udeansr.planning.summary import fingerprint_table, plan_table

    folder = target.folder / raw.name
    memory, origin = planning_memory(memory_gb)
    planned = plan_dataset(raw, folder, memory, processes=processes, again=plan_again)
    for name, fingerprint in planned.fingerprints.items():
        of = f" of {name}" if len(planned.fingerprints) > 1 else ""
        path = facts_folder(folder, planned.plan, name) / FINGERPRINT_FILE
        print(f"\nfingerprint{of}: {path}\n{fingerprint_table(fingerprint)}\n")
    if planned.earlier:
        print(f"the earlier plan, with what was edited in it, is now {planned.earlier}")
    kept = "kept: the images did not change; --plan-again makes a new one"
    print(f"plan: {folder / PLANS_FILE} ({kept if planned.kept else f'new, for {origin}'})\n{plan_table(planned.plan)}")
    return planned.plan


def planning_memory(memory_gb: float | None) -> tuple[float | None, str]:
    """The memory to plan for (None: a CPU), and where that comes from."""
    if memory_gb is not None:
        return (memory_gb, f"--memory-gb {memory_gb:g}") if memory_gb else (None, "a CPU, as --memory-gb 0 asks")
    import torch

    if not torch.cuda.is_available():
        return None, "a CPU, as there is no CUDA device; --memory-gb plans for another machine"
    from udeansr.device import choose_device

    properties = torch.cuda.get_device_properties(
        choose_device("auto")
    )  # that a training takes, be it the first or not
    return properties.total_memory / 2**30, f"{properties.name}"


def _preprocess(raw: RawDataset, plan: Plan, target: Root, names: list[str], processes: int) -> None:
    from udeansr.preprocessing.preprocessor import preprocess

    folder = target.folder / raw.name
    for name in names:
        preprocess(raw, plan, name, folder, processes)
        print(f"arrays: {folder / name}")


def main() -> None:
    """Run the command."""
    command_line(plan_and_preprocess, "udeansr_plan_and_preprocess")
