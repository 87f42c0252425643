"""How every command starts and ends."""

from __future__ import annotations

import errno
import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

import typer

from udeansr import distributed
from udeansr.errors import UdeansrError

CONTEXT = {"help_option_names": ["-h", "--help"]}
"""Settings of every typer command: ``-h`` is help as well."""

USER_ERROR, INTERRUPTED = 2, 130

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}
"""Of the system's errors those that a user can put right, whoever met them."""


def typer_app(**settings: Any) -> typer.Typer:
    """A typer application as all of ours are: plain text, no completion, no decorated tracebacks."""
    return typer.Typer(
        context_settings=CONTEXT,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        **settings,
    )


def command_line(function: Callable[..., Any], name: str) -> None:
    """Run one command on ``sys.argv`` and leave with its exit status."""
    app = typer_app()
    app.command(name)(ending_well(function, name))
    try:
        app(prog_name=name)
    except SystemExit as end:
        distributed.leave(end.code if isinstance(end.code, int) else 0)
        raise


def ending_well(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A command that ends as all of ours do, with the signature it had.

    It leaves with status 0 if all went well; with 2 on a user's mistake or a disk that refuses, telling what to do on
    standard error; with 130 on Ctrl-C.
    """

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> None:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        try:
            function(*arguments, **options)
        except UdeansrError as error:
            if not error.told:
                print(f"{name}: {error}", file=sys.stderr)
            sys.exit(USER_ERROR)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            where = f"{error.filename}: " if error.filename else ""
            print(f"{name}: {where}{error.strerror}; check the folder and the disk", file=sys.stderr)
            sys.exit(USER_ERROR)
        except KeyboardInterrupt:
            print(f"{name}: stopped by the user; nothing is half-written", file=sys.stderr)
            sys.exit(INTERRUPTED)

    return command
