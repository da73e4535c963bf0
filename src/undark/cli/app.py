"""The `undark` command: its sub-commands and how it starts.

`undark --help` must be quick: nothing here, nor at the top of a command's module, imports NumPy,
OpenCV, a runtime or PyTorch.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from undark.cli.apply import apply
from undark.cli.data import data
from undark.cli.doctor import doctor
from undark.cli.enhance import enhance
from undark.cli.evaluate import evaluate
from undark.cli.export import export
from undark.cli.fleet import fleet
from undark.cli.live import live
from undark.cli.models import models
from undark.cli.recipe import recipe
from undark.cli.serve import serve
from undark.cli.share import share
from undark.cli.shell import Command, result
from undark.cli.show import show
from undark.cli.train import train

__all__ = ["app", "in_place", "main"]

app: typer.Typer = typer.Typer(
    name="undark",
    help="Bring dark photos to light, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    # Plain text: quick, and the same on a console of any encoding.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _command in (
    enhance,
    live,
    serve,
    apply,
    show,
    share,
    models,
    evaluate,
    data,
    train,
    recipe,
    export,
    doctor,
):
    app.command(cls=Command)(_command)
app.add_typer(fleet, name="fleet")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        result(f"undark {version('undark')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Bring dark photos to light, on your own machine."""


def main() -> None:
    """Run the command line with the process's arguments, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A file's name that the console cannot show must not end the job that names it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()


def in_place() -> None:
    """Replace the photos that are named: `undark-in-place`, for programs that call an editor."""
    sys.argv[1:1] = ["enhance", "--in-place"]
    main()


if __name__ == "__main__":
    main()
