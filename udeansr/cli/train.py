"""``udeansr_train``: a preprocessed dataset to a model."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from udeansr import distributed
from udeansr.cli.command import command_line
from udeansr.cli.options import PreprocessedOption, ResultsOption, writing_mode
from udeansr.errors import UdeansrError
from udeansr.paths import RUN_FILE, find_dataset, preprocessed_root, results_root

HELP_PLAN = "[default: the plan's]"
_LENGTHS = ("epochs", "iterations_per_epoch", "minutes", "max_minutes")


DatasetArgument = Annotated[
    str, typer.Argument(help="A dataset that is planned and preprocessed: 1, 001 or Dataset001_Name.")
]
ConfigurationArgument = Annotated[
    str, typer.Argument(help="One of the plan's configurations, for example x2x2x2; all: one after the other.")
]
MethodOption = Annotated[str, typer.Option(help="Who learns: supervised, on the measured degradation; udean; ...")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of the method: supervised.alpha=0.2; may be repeated.")
]
EpochsOption = Annotated[int | None, typer.Option(help=f"Epochs in all. {HELP_PLAN}")]
IterationsPerEpochOption = Annotated[int | None, typer.Option(help=f"Iterations in an epoch. {HELP_PLAN}")]
MinutesOption = Annotated[
    float | None,
    typer.Option(help="Train for about so long on this machine, validation left out: epochs by a measured iteration."),
]
BatchSizeOption = Annotated[int | None, typer.Option(help=f"Slabs of each cohort in a batch. {HELP_PLAN}")]
LearningRateOption = Annotated[
    float | None, typer.Option(help="Learning rate of the first epoch. [default: the method's]")
]
SeedOption = Annotated[int | None, typer.Option(help="Of weights, batches and subjects held out. [default: 0]")]
SeedsOption = Annotated[str | None, typer.Option(help="Several runs, one after the other: 0,1,2.")]
NameOption = Annotated[
    str | None, typer.Option(help="Of the run, and its folder. [default: the method, with _seed1 and so on behind it]")
]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps. [default: auto]")]
PrecisionOption = Annotated[str | None, typer.Option(help="auto, bf16, fp16 or fp32. [default: auto]")]
WorkersOption = Annotated[int | None, typer.Option(help="Processes that prepare batches. [default: 0]")]
NumGpusOption = Annotated[
    int, typer.Option(min=1, help="GPUs of this machine that share each batch; with --device cpu: processes.")
]
SyncBatchnormOption = Annotated[
    bool | None,
    typer.Option(
        "--sync-batchnorm/--no-sync-batchnorm",
        help="Of several processes: whether discriminators normalise over the whole batch. [default: yes]",
    ),
]
ClipOption = Annotated[float | None, typer.Option(help="Largest norm of a player's gradient. [default: none]")]
EmaOption = Annotated[
    float | None, typer.Option(help="Decay of the averaged weights; 0: none. [default: the method's, 0.999]")
]
AugmentOption = Annotated[
    bool | None, typer.Option("--augment/--no-augment", help="Mirror, turn, change gain. [default: the method's]")
]
CompileOption = Annotated[
    bool | None, typer.Option("--compile/--no-compile", help="torch.compile, on CUDA. [default: no]")
]
TensorboardOption = Annotated[
    bool | None, typer.Option("--tensorboard/--no-tensorboard", help="Write TensorBoard events too. [default: no]")
]
ValidationCasesOption = Annotated[int | None, typer.Option(help="Volumes of each kind to validate on. [default: 2]")]
CheckpointMinutesOption = Annotated[
    float | None, typer.Option(help="Between checkpoints inside an epoch. [default: 5]")
]
MaxMinutesOption = Annotated[
    float | None, typer.Option(help="End properly, with final.pt, after this time. [default: no such end]")
]
ContinueOption = Annotated[
    bool,
    typer.Option(
        "--continue", help="Begin, go on, or find it done, whatever is there; flags left out keep their saved values."
    ),
]
ReportOption = Annotated[bool, typer.Option("--report", help="End with a page to judge it by: training.html.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Remove the training that is there, begin again.")]


def train(
    dataset: DatasetArgument,
    configuration: ConfigurationArgument,
    method: MethodOption = "supervised",
    set_: SetOption = None,
    epochs: EpochsOption = None,
    iterations_per_epoch: IterationsPerEpochOption = None,
    minutes: MinutesOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: LearningRateOption = None,
    seed: SeedOption = None,
    seeds: SeedsOption = None,
    name: NameOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    workers: WorkersOption = None,
    num_gpus: NumGpusOption = 1,
    sync_batchnorm: SyncBatchnormOption = None,
    clip: ClipOption = None,
    ema: EmaOption = None,
    augment: AugmentOption = None,
    compile_: CompileOption = None,
    tensorboard: TensorboardOption = None,
    validation_cases: ValidationCasesOption = None,
    checkpoint_minutes: CheckpointMinutesOption = None,
    max_minutes: MaxMinutesOption = None,
    continue_: ContinueOption = False,
    overwrite: OverwriteOption = False,
    report: ReportOption = False,
    preprocessed: PreprocessedOption = None,
    results: ResultsOption = None,
) -> None:
    """Train a method on a dataset that is planned and preprocessed."""
    size = {"epochs": epochs, "iterations_per_epoch": iterations_per_epoch, "minutes": minutes}
    learning = {"learning_rate": learning_rate, "clip": clip, "ema_decay": ema, "augment": augment, "seed": seed}
    batches = {"batch_size": batch_size, "workers": workers, "sync_batchnorm": sync_batchnorm}
    where = {"device": device, "precision": precision, "compile": compile_, **batches}
    watching = {"tensorboard": tensorboard, "validation_cases": validation_cases}
    times = {"checkpoint_minutes": checkpoint_minutes, "max_minutes": max_minutes}
    flags = {key: value for key, value in (size | learning | where | watching | times).items() if value is not None}
    if minutes is not None and (epochs or iterations_per_epoch):
        raise UdeansrError("--minutes says how long is trained; leave --epochs and --iterations-per-epoch out")
    mode = writing_mode(continue_, overwrite)
    from udeansr.training.settings import run_names

    runs = run_names(method, name, seed, seeds)
    if report:
        _check_has_page(method)
    if _start_together(num_gpus, device or "auto", sync_batchnorm):
        return
    with distributed.joined(device or "auto"):
        _set_threads()
        for one in _configurations(dataset, configuration, preprocessed):
            for run, own in runs.items():
                folder = _train(dataset, one, method, run, set_ or [], flags | own, mode, preprocessed, results)
                if report:
                    distributed.on_leader(partial(_write_page, folder))


def _start_together(processes: int, device: str, sync_batchnorm: bool | None) -> bool:
    """Start this command again in several processes, and wait for them; whether that was asked for and is done."""
    if distributed.was_started_together():
        there = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
        if processes not in (1, there):
            raise UdeansrError(f"--num-gpus {processes}, but torchrun started {there} processes here; leave it out")
        return False
    if processes == 1:
        if sync_batchnorm is not None:
            raise UdeansrError("--sync-batchnorm is of several processes; give --num-gpus, or leave it out")
        return False
    if device != "cpu":
        import torch

        there = torch.cuda.device_count()
        if there < processes or device not in ("auto", "cuda"):
            raise UdeansrError(
                f"--num-gpus {processes} --device {device}: this machine has {there} GPUs; expected as many at least "
                "and --device auto or cuda; --device cpu shares the work among processes of the CPU"
            )
    program = (sys.executable, "-c", "from udeansr.cli.train import main; main()", *sys.argv[1:])
    if status := distributed.start_together(processes, program):
        raise typer.Exit(status)
    return True


def _check_has_page(method: str) -> None:
    """Refuse a page of a training that has no epochs."""
    from udeansr.methods import method_type

    if method_type(method).is_zero_shot:
        raise UdeansrError(
            f"--report: {method} learns in prediction, so that its training has no epoch to show; leave it out, and "
            "give it to udeansr_predict"
        )


def _write_page(folder: Path) -> None:
    """Write the page of a training, and say where it lies."""
    from udeansr.report.training_page import write_training_page

    print(f"page:         {write_training_page(folder)}")


def _configurations(dataset: str, configuration: str, preprocessed: Path | None) -> list[str]:
    """The configuration that is meant, or all that planning made."""
    if configuration != "all":
        return [configuration]
    from udeansr.planning.plan import PLANS_FILE, Plan

    plan = Plan.load(find_dataset(preprocessed_root(preprocessed), dataset) / PLANS_FILE)
    if "all" in plan.configurations:
        return ["all"]
    return [name for name, one in plan.configurations.items() if one.inherits_from is None]


def _train(
    dataset: str,
    configuration: str,
    method: str,
    name: str,
    assignments: list[str],
    flags: dict[str, Any],
    mode: str,
    preprocessed: Path | None,
    results: Path | None,
) -> Path:
    """Find the folders, tell what will be done, train, tell what came of it; the folder of the training."""
    arrays, models = preprocessed_root(preprocessed), results_root(results)
    folder = find_dataset(arrays, dataset)
    from udeansr.planning.plan import PLANS_FILE, Plan

    plan = Plan.load(folder / PLANS_FILE)
    chosen = plan.configuration(configuration)
    from udeansr.methods import load_settings, method_type, parse_settings
    from udeansr.strict_json import as_json, from_json
    from udeansr.training.interruption import StoppedError
    from udeansr.training.run_folder import read_run
    from udeansr.training.settings import check_minutes
    from udeansr.training.timing import of_minutes
    from udeansr.training.train import RunSettings, train

    settings = parse_settings(method, assignments)
    output = models.folder / folder.name / configuration / name
    run = from_json(RunSettings, flags, "the options")
    is_there = mode == "continue" and (output / RUN_FILE).is_file()
    if saved := distributed.on_leader(lambda: read_run(output) if is_there else None):
        check_minutes(saved.run.minutes, flags.get("minutes", saved.run.minutes), output)
        run = from_json(RunSettings, {**as_json(saved.run), "max_minutes": None, **flags}, str(output))
        if not assignments:
            settings = load_settings(method, saved.settings, stored=True)
    if method_type(method).is_zero_shot:
        _refuse_length(method, flags)
    elif "minutes" in flags:
        run = of_minutes(folder, chosen, method, settings, run)
    run = run.resolved(chosen, method_type(method))
    length = f"{run.epochs} epochs of {run.iterations_per_epoch} iterations"
    if method_type(method).is_zero_shot:
        length = f"{settings.iterations} iterations on each volume, in prediction"
    print(f"preprocessed: {arrays}\nresults:      {models}")
    size, (rows, columns) = chosen.size, chosen.size.patch_size
    print(
        f"plan:         {plan.dataset} {chosen.name}: slabs of {chosen.task.slab_slices} x {rows} x {columns} "
        f"LR voxels, {run.batch_size} of each cohort in a batch\n"
        f"              {method}: {size.features} features, {size.groups} groups of {size.blocks} blocks; "
        f"{length}",
        flush=True,
    )
    try:
        final = train(folder, plan, configuration, method, settings, run, output, mode)
    except StoppedError as stop:
        if distributed.is_leader():
            print(f"udeansr_train: {stop}", file=sys.stderr)
        raise typer.Exit(stop.exit_status) from None
    _tell_next(final, f"-d {dataset} -c {configuration} --name {name}", models.flag)
    return output


def _tell_next(final: Path, which: str, results_flag: str) -> None:
    """Say where the model lies, and how to predict with it."""
    best = final.with_name("best.pt")  # not there if no epoch had a score
    print(f"model:        {best if best.exists() else final}")
    checkpoint = "" if best.exists() else " --checkpoint final"
    print(f"next:         udeansr_predict -i LR_FOLDER -o SR_FOLDER {which}{checkpoint}{results_flag}")


def _set_threads() -> None:
    """Give torch as many threads as there are idle cores, and say so where that is fewer than it would take."""
    import torch

    from udeansr.device import threads_for_load

    threads = threads_for_load()
    if threads is not None and threads < torch.get_num_threads():
        torch.set_num_threads(threads)
        print(f"threads:      {threads}, as this computer is busy; OMP_NUM_THREADS=N sets another number")


def _refuse_length(method: str, flags: dict[str, Any]) -> None:
    """Refuse flags that say how long to train, for a method that is trained in prediction."""
    given = ["--" + name.replace("_", "-") for name in _LENGTHS if name in flags]
    if given:
        raise UdeansrError(
            f"{' and '.join(given)}: {method} learns in prediction, on each volume; expected its length as a setting: "
            f"--set {method}.iterations=500"
        )


def main() -> None:
    """Run ``udeansr_train``."""
    command_line(train, "udeansr_train")
