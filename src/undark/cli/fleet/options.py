"""Options that several of the fleet's commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Device",
    "Flight",
    "Grace",
    "Longest",
    "Model",
    "PlanAt",
    "Price",
    "Processes",
    "Ray",
    "ReportAt",
    "Runtime",
]

Device = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="Where to run [default: the best there is]."),
]

Flight = Annotated[
    int,
    typer.Option(
        "--flight",
        min=1,
        metavar="MB",
        help="Megabytes of photos that each process may have fetched and not yet written.",
    ),
]

Grace = Annotated[
    float,
    typer.Option(
        "--grace",
        min=0.0,
        metavar="S",
        help="Seconds that the photos in hand get when the run is told to stop.",
    ),
]

Longest = Annotated[
    float | None,
    typer.Option(
        "--longest",
        min=1.0,
        metavar="S",
        help="Seconds that one photo may take before its process is ended [default: any].",
    ),
]

PlanAt = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's folder, here or there.")]

Price = Annotated[
    float | None,
    typer.Option(
        "--price",
        min=0.0,
        metavar="N",
        help="What all machines together cost an hour, to tell what a thousand photos cost.",
    ),
]

Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        metavar="N",
        help="Photos worked on at a time [default: one for each core, or one on a GPU].",
    ),
]

Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Work on this Ray cluster: its address, auto, or local to start one here.",
    ),
]

ReportAt = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write what was done as one HTML page."),
]

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Catalog name, or your own .onnx with its card [default: the default model].",
    ),
]
Runtime = Annotated[
    str | None,
    typer.Option(
        "--runtime", metavar="NAME", help="What runs the model [default: the best there is]."
    ),
]
