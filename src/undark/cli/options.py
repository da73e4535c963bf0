"""Options that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from undark.adjust import CONTROLS

__all__ = [
    "Debug",
    "Denoise",
    "Device",
    "Exposure",
    "Format",
    "Inputs",
    "Jobs",
    "Json",
    "Model",
    "Output",
    "Overwrite",
    "Precision",
    "Quality",
    "Recursive",
    "Runtime",
    "Strength",
    "Threads",
]


def _control(name: str) -> Any:
    """The option of a control of :class:`undark.adjust.Adjust`, as its table has it."""
    control = CONTROLS[name]
    return typer.Option(
        min=control.low,
        max=control.high,
        metavar=control.unit or f"{control.low:g}..{control.high:g}",
        help=control.meaning,
    )


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Denoise = Annotated[float | None, _control("denoise")]

Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="NAME", help="Where to run: auto, cpu, or what `undark doctor` lists."
    ),
]

Exposure = Annotated[float, _control("exposure")]

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FMT",
        help="Write jpeg, png, tiff, webp, avif, heif or bmp [default: as the photo].",
    ),
]

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT", help="Photos, videos, folders, globs, frame%05d.png, or - for stdin."
    ),
]

Jobs = Annotated[
    int, typer.Option("--jobs", min=1, metavar="N", help="Inputs worked on at a time.")
]

Json = Annotated[bool, typer.Option("--json", help="Write JSON on stdout, for programs.")]

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="Catalog name, or your own .onnx with its card."
    ),
]

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Folder for the results, or a file for one input [default: beside each input, "
        "as NAME.undark.SUFFIX].",
    ),
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do again what is already there.")]

Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="auto, exact or fast: whether OpenVINO may compute in 16 bits.",
    ),
]

Quality = Annotated[
    int | None,
    typer.Option(
        "--quality",
        min=1,
        max=100,
        metavar="Q",
        help="Quality of lossy formats, 1 to 100 [default: chosen from the photo's own].",
    ),
]

Recursive = Annotated[
    bool, typer.Option("--recursive", help="Take the folders inside folders too.")
]

Runtime = Annotated[
    str,
    typer.Option(
        "--runtime", metavar="NAME", help="What runs the model: auto, onnxruntime or openvino."
    ),
]

Strength = Annotated[float, _control("strength")]

Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, metavar="N", help="Processor threads for the model [default: all]."
    ),
]
