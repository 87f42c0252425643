"""The umbrella command: every stage as a subcommand of ``udeansr``."""

from __future__ import annotations

from typing import Annotated

import typer

from udeansr import __version__
from udeansr.cli.benchmark import benchmark
from udeansr.cli.command import ending_well, typer_app
from udeansr.cli.demo import demo
from udeansr.cli.evaluate import evaluate
from udeansr.cli.figures import figures
from udeansr.cli.info import info
from udeansr.cli.models import models_app
from udeansr.cli.plan_and_preprocess import plan_and_preprocess
from udeansr.cli.predict import predict
from udeansr.cli.report import report
from udeansr.cli.simulate import simulate
from udeansr.cli.speed import speed
from udeansr.cli.train import train
from udeansr.cli.view import view

COMMANDS = (
    *(simulate, plan_and_preprocess, train, speed, predict, evaluate, benchmark),
    *(figures, report, view, demo, info),
)
"""Each is also a command of its own, ``udeansr_<name>``, but for ``info``."""


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"udeansr {__version__}")
        raise typer.Exit


def main() -> None:
    """Run ``udeansr``."""
    app = typer_app(no_args_is_help=True)
    for command in COMMANDS:
        app.command(command.__name__)(ending_well(command, f"udeansr {command.__name__}"))

    app.add_typer(models_app("udeansr models"), name="models")

    @app.callback()
    def umbrella(
        version: Annotated[
            bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
        ] = False,
    ) -> None:
        """Super-resolution of MRI without pairs: HR scans of some subjects, LR scans of others, SR scans out."""

    app(prog_name="udeansr")
