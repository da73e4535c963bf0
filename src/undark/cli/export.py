"""`undark export`: from a checkpoint to an ONNX model with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undark.cli.opening import learning
from undark.cli.options import Debug
from undark.cli.shell import command, result, say

__all__ = ["export"]


@command
def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="A run's folder, or its .safetensors or .ckpt file."
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="MODEL.onnx", help="The ONNX file to write; it must be named."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The model's name [default: the run's]."),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="TEXT", help="Of the weights [default: the recipe's]."),
    ] = None,
    author: Annotated[
        str | None,
        typer.Option("--author", metavar="TEXT", help="Who made them [default: the recipe's]."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="TEXT", help="What they learned from [default: the recipe's sources]."
        ),
    ] = None,
    data_licence: Annotated[
        str | None,
        typer.Option(
            "--data-licence", metavar="TEXT", help="Of the data whose licence is not stated."
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Keep the weights in 16 bits: a file of half the size.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Write a checkpoint as an ONNX model, with its card beside it."""
    from undark.models.card import UNSTATED, Card

    output = learning("check_export")(checkpoint, output)  # before PyTorch is imported
    done = learning("export_model")(
        checkpoint,
        output,
        name=name,
        licence=licence,
        author=author,
        data=data,
        data_licence=data_licence,
        half=half,
    )
    say(f"largest difference from PyTorch: {done.difference:.2g} of white")
    card = Card.load(done.card)
    say(f"{card.name}: licence {card.licence}; author {card.author or 'not named (--author)'}")
    for source in card.data:
        more = " (--data-licence)" if source.licence == UNSTATED else ""
        say(f"learned from {source.name}, licence {source.licence}{more}")
    result(str(done.model))
    result(str(done.card))
