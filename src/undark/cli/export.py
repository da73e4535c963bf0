"""`undark export`: from a checkpoint to an ONNX model with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undark.cli.options import Debug
from undark.cli.shell import command, result

__all__ = ["export"]


@command
def export(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A checkpoint that `undark train` wrote.")
    ],
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="MODEL.onnx", help="The ONNX file to write."),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The model's name [default: the file's]."),
    ] = None,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Write a checkpoint as an ONNX model, with its card beside it."""
    from undark.errors import MissingExtraError

    try:
        from undark.train.export import export_model
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("undark"):
            raise
        raise MissingExtraError("training and export", "train") from error
    export_model(checkpoint, output, name=name)
    result(str(output))
