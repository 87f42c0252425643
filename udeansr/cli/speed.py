"""``udeansr_speed``: how fast a training is on this machine, and what holds it up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from udeansr.cli.command import command_line
from udeansr.cli.options import DeviceOption, PrecisionOption, PreprocessedOption
from udeansr.cli.train import ConfigurationArgument, DatasetArgument, MethodOption, SetOption
from udeansr.paths import find_dataset, preprocessed_root

CompareOption = Annotated[
    str | None,
    typer.Option(
        metavar="SETTING=VALUE,...",
        help="Time an iteration as it is and with these settings, in turns: precision=fp32, step=plain, workers=2, ...",
    ),
]


def speed(
    dataset: DatasetArgument,
    configuration: ConfigurationArgument,
    method: MethodOption = "supervised",
    set_: SetOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    workers: Annotated[int, typer.Option(help="Processes that prepare batches.")] = 0,
    batch_size: Annotated[int | None, typer.Option(help="Slabs of each cohort. [default: the plan's]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Of the training that is expected. [default: the plan's]")] = None,
    iterations_per_epoch: Annotated[int | None, typer.Option(help="As --epochs. [default: the plan's]")] = None,
    compile_: Annotated[bool, typer.Option("--compile/--no-compile", help="torch.compile, on CUDA.")] = False,
    compare: CompareOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="Of what is timed in turns.")] = 3,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="JSON file for the numbers.")] = None,
    preprocessed: PreprocessedOption = None,
) -> None:
    """Tell how fast a training is here, what its seconds are spent on, and how long it will take."""
    folder = find_dataset(preprocessed_root(preprocessed), dataset)
    from udeansr.methods import parse_settings
    from udeansr.planning.plan import PLANS_FILE, Plan
    from udeansr.speed.comparison import compare as compared
    from udeansr.speed.comparison import comparison_table, other_variant
    from udeansr.speed.measured_training import Variant
    from udeansr.speed.speed import measure_speed, table
    from udeansr.strict_json import from_json, write_json
    from udeansr.training.settings import RunSettings

    plan = Plan.load(folder / PLANS_FILE)
    given = {"device": device, "precision": precision, "workers": workers, "compile": compile_}
    size = {"batch_size": batch_size, "epochs": epochs, "iterations_per_epoch": iterations_per_epoch}
    variant = Variant(parse_settings(method, set_ or []), from_json(RunSettings, {**given, **size}, "the options"))
    if compare is None:
        found = measure_speed(folder, plan, configuration, method, variant, rounds)
        text = table(found)
    else:
        other = other_variant(variant, method, set_ or [], compare)
        found = compared(folder, plan, (configuration, method), (variant, other), compare, rounds)
        text = comparison_table(found)
    print(text, end="")
    if output is not None:
        write_json(found.as_dict(), output)


def main() -> None:
    """Run ``udeansr_speed``."""
    command_line(speed, "udeansr_speed")
