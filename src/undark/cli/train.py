"""`undark train`: learn a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undark.cli.opening import learning
from undark.cli.options import Debug
from undark.cli.shell import INTERRUPTED, command, result, say

__all__ = ["train"]


@command
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="[RECIPE]", help="A recipe's .toml file, or a method's name.")
    ] = "unet",
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="What to learn from: the folder that a recipe's sources lie in, or for a method's "
            "name pairs in low/ + high/, dark/ + light/, input/ + target/, low_light/ + "
            "ground_truth/, files such as a_low.png + a_high.png or a pairs.csv; for curve a "
            "folder of dark photos [default: data, if it is there].",
        ),
    ] = None,
    dark: Annotated[
        Path | None,
        typer.Option("--dark", metavar="DIR", help="A stack of dark photos, without pairs."),
    ] = None,
    light: Annotated[
        Path | None,
        typer.Option("--light", metavar="DIR", help="A stack of light photos, without pairs."),
    ] = None,
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
        typer.Option(
            "--from", metavar="MODEL", help="Start from these weights, not from random ones."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out where it stopped.")
    ] = False,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="Where to train: auto, cpu or cuda.")
    ] = "auto",
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Learn a model: from pairs, from two stacks, or from dark photos alone."""
    try:
        done = learning().run(
            recipe,
            data=data,
            dark=dark,
            light=light,
            out=out,
            overrides=changes or (),
            start=start,
            resume=resume,
            device=device,
            notify=say,
        )
    except KeyboardInterrupt:
        say("stopped; the same command with --resume continues from the last checkpoint")
        raise typer.Exit(INTERRUPTED) from None
    result(str(done.weights))
