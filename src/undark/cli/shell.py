"""How commands speak: results on stdout, notices on stderr, errors as one line and an exit code."""

from __future__ import annotations

import errno
import functools
import json
import sys
from collections.abc import Callable
from typing import Any, Final, ParamSpec

import typer
from typer.core import TyperCommand

from undark.errors import (
    DataError,
    DeviceError,
    MissingExtraError,
    ModelError,
    RecipeError,
    UndarkError,
    UsageError,
)

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "USAGE",
    "Command",
    "command",
    "result",
    "result_json",
    "say",
    "worded",
]

FAILED = 1
"""Exit code: some inputs failed, or what was asked for could not be done."""

USAGE = 2
"""Exit code: wrong usage; nothing was done."""

INTERRUPTED = 130
"""Exit code: stopped with Ctrl-C."""

# What was asked for does not exist here: a mistyped option, a model, device, extra or folder of
# pairs that is not there. Such an error comes before any work; one that befalls a single input is
# reported with it.
_WRONG_USAGE = (UsageError, ModelError, DeviceError, MissingExtraError, RecipeError, DataError)

# What the command line calls the arguments that errors are about.
_OPTIONS: Final = {
    "allow_hosts": "--allow-host",
    "begin": "--from and --to",
    "bits": "--bits",
    "body_bytes": "--max-body",
    "connections": "--max-connections",
    "cors": "--cors",
    "crf": "--crf",
    "end": "--to",
    "format": "--format",
    "fps": "--fps",
    "gaps": "--gaps",
    "idle": "--idle",
    "in_place": "--in-place",
    "keep_interlaced": "--keep-interlaced",
    "dark_half": "--ab",
    "device": "--device",
    "devices": "--devices",
    "loggers": "--logger",
    "nodes": "--nodes",
    "keep_seconds": "--keep",
    "output": "-o",
    "overwrite": "--overwrite",
    "port": "--port",
    "preview": "--preview",
    "public_url": "--public-url",
    "quality": "--quality",
    "recursive": "--recursive looks into sub-folders",
    "salvage": "--salvage takes what is there",
    "sdr": "--sdr",
    "strip": "--strip",
    "start": "--from",
    "sweep": "--sweep",
    "threads": "--threads",
    "trials": "--trials",
    "token": "--token, or UNDARK_TOKEN",
    "workers": "--workers",
    "target": "-o - | ffplay -",
}

_STRIPS: Final = (["all"], ["gps"])

P = ParamSpec("P")


def worded(error: Exception) -> str:
    """An error for the user of the command line: with the option that it is about."""
    argument = error.argument if isinstance(error, UndarkError) else ""
    option = _OPTIONS.get(argument)
    return str(error) if option is None else f"{error} ({option})"


def say(line: str) -> None:
    """One notice on stderr; letters of a name that would steer a terminal are spelled out.

    A terminal that was closed hears nothing, and what goes on without it is not disturbed.
    """
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    try:
        print(f"undark: {shown}", file=sys.stderr)  # noqa: T201
    except OSError as error:
        if error.errno != errno.EIO:
            raise


def result(line: str) -> None:
    """One line of result on stdout, at once, so that a pipe sees it when it is true."""
    print(line, flush=True)  # noqa: T201


def result_json(value: Any, *, indent: int | None = None) -> None:
    """One JSON value on stdout, in ASCII so that no console's encoding can spoil it."""
    result(json.dumps(value, indent=indent, allow_nan=False))


class Command(TyperCommand):
    """A command one of whose options may stand without its value: `--strip` is `--strip all`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, the missing value put in."""
        end = args.index("--") if "--" in args else len(args)
        full: list[str] = []
        for index, item in enumerate(args):
            full.append(item)
            if item == "--strip" and index < end and args[index + 1 : index + 2] not in _STRIPS:
                full.append("all")
        return super().parse_args(ctx, full)


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Make `function` a command: its errors become one line on stderr and an exit code.

    A command has an option `debug`, which shows the traceback instead. Its function may be long:
    each option takes lines; what it does should take few.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except KeyboardInterrupt:
            say("stopped; finished results are kept, and the same command continues from there")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if kwargs.get("debug"):
                raise
            if isinstance(error, UndarkError):
                say(worded(error))
            else:
                reason = " ".join(str(error).split())
                say(f"unexpected {type(error).__name__}: {reason} (--debug shows where)")
            raise typer.Exit(USAGE if isinstance(error, _WRONG_USAGE) else FAILED) from None

    return guarded
