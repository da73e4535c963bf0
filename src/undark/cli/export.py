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
        Path,
        typer.Option("--output", "-o", metavar="MODEL.onnx", help="The ONNX file to write."),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The model's name [default: the recipe's]."),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Keep the weights in 16 bits: a file of half the size.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Write a checkpoint as an ONNX model, with its card beside it."""
    done = learning("export_model")(checkpoint, output, name=name, half=half)
    say(f"largest difference from PyTorch: {done.difference:.2g} of white")
    result(str(done.model))
    result(str(done.card))
