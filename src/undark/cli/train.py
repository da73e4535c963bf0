"""`undark train`: learn a model from pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undark.cli.opening import learning
from undark.cli.options import Data, Debug
from undark.cli.shell import INTERRUPTED, command, result, say

__all__ = ["train"]


@command
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A recipe's .toml file, or a method's name.")
    ],
    *,
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Where the run is kept [default: runs/NAME]."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the recipe; repeat."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Begin from these weights, not from chance."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out where it stopped.")
    ] = False,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="Where to learn: auto, cpu or cuda.")
    ] = "auto",
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Learn a model from pairs of dark and well-lit pictures."""
    try:
        done = learning().run(
            recipe,
            data=data,
            out=out,
            overrides=changes or (),
            start=start,
            resume=resume,
            device=device,
            notify=say,
        )
    except KeyboardInterrupt:
        say("stopped; the same command with --resume goes on from the last checkpoint")
        raise typer.Exit(INTERRUPTED) from None
    result(str(done.weights))
