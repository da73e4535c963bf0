"""Options that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Data", "Debug", "Device", "Json", "Model", "Overwrite", "Runtime", "Threads"]

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of pairs: low/ + high/, dark/ + light/, input/ + target/, "
        "low_light/ + ground_truth/, or a pairs.csv.",
    ),
]

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="NAME", help="Where to run: auto, cpu, or what `undark doctor` lists."
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Write JSON on stdout, for programs.")]

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="Catalog name, or your own .onnx with its card."
    ),
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what is already there.")]

Runtime = Annotated[
    str,
    typer.Option(
        "--runtime", metavar="NAME", help="What runs the model: auto, onnxruntime or openvino."
    ),
]

Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, metavar="N", help="Processor threads for the model [default: all]."
    ),
]
