"""Options that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from undark.adjust import CONTROLS

__all__ = [
    "Ab",
    "Begin",
    "Bits",
    "Codec",
    "Crf",
    "Debug",
    "Denoise",
    "Device",
    "Encoder",
    "End",
    "Explain",
    "Exposure",
    "Format",
    "Fps",
    "Gaps",
    "InPlace",
    "Inputs",
    "Jobs",
    "Json",
    "KeepInterlaced",
    "Like",
    "Local",
    "Model",
    "NoRecord",
    "NoTimes",
    "Output",
    "Overwrite",
    "Precision",
    "Preset",
    "Preview",
    "Qualities",
    "Quality",
    "Recursive",
    "Runtime",
    "Salvage",
    "SaveSteps",
    "Sdr",
    "Strength",
    "Strip",
    "Threads",
    "VideoQuality",
    "control",
    "filled",
    "path",
]


Ab = Annotated[
    str,
    typer.Option(
        "--ab",
        metavar="HALF",
        help="Each image holds both sides, and its left or right half is the dark one "
        "[default: such images are recognised, and the darker half taken].",
        show_default=False,
    ),
]


def filled(text: str) -> str:
    """What an option that names something was given: an empty name is an unset shell variable."""
    if not text.strip():
        raise typer.BadParameter("an empty name; is the variable that should hold it unset?")
    return text


def path(text: str) -> Path:
    """The path that an option was given; an empty one would mean the folder that we are in."""
    return Path(filled(text))


def control(name: str) -> Any:
    """The option of a control of :class:`undark.adjust.Adjust`, as its table has it."""
    control = CONTROLS[name]
    return typer.Option(
        min=control.low,
        max=control.high,
        metavar=control.unit or f"{control.low:g}..{control.high:g}",
        help=control.meaning,
    )


Begin = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME", help="Video: start there; seconds, or 1:30, or 1:02:03.5."
    ),
]

Bits = Annotated[
    int | None,
    typer.Option(
        "--bits",
        metavar="N",
        help="Video: 8 or 10 bits a sample [default: as the source].",
    ),
]

Codec = Annotated[
    str | None,
    typer.Option(
        "--codec",
        metavar="NAME",
        help="Video: h264, hevc, vp9, av1, prores or ffv1 [default: what suits the file; h264, or"
        " hevc for more than 8 bits].",
    ),
]

Crf = Annotated[
    int | None,
    typer.Option(
        "--crf", metavar="N", help="Video: quality; less is better [default: 20 for h264]."
    ),
]

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Denoise = Annotated[float | None, control("denoise")]

Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="NAME", help="Where to run: auto, cpu, or what `undark doctor` lists."
    ),
]

Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="KIND",
        help="Video: encode by nvenc, qsv, vaapi or videotoolbox, where that works.",
    ),
]

End = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Video: end there.")]

Explain = Annotated[
    bool, typer.Option("--explain", help="Show the steps of a model that edits in steps.")
]

Exposure = Annotated[float, control("exposure")]

Local = Annotated[float, control("local")]

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FMT",
        help="Write jpeg, png, tiff, webp, avif, heif, jxl or bmp [default: as the photo].",
    ),
]

Fps = Annotated[
    float, typer.Option("--fps", metavar="N", help="Frames a second for numbered images.")
]

Gaps = Annotated[
    bool, typer.Option("--gaps", help="Numbered images may lack numbers; those there follow on.")
]

InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help="Replace the photos themselves; those that were replaced already are skipped.",
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

KeepInterlaced = Annotated[
    bool,
    typer.Option(
        "--keep-interlaced",
        help="Video: keep the two fields of each frame [default: make it whole].",
    ),
]

Like = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="PHOTO",
        help="As this result of undark's, or recipe (.json), says: its model, strength and so on.",
    ),
]

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="MODEL", help="Catalog name, or your own .onnx with its card."
    ),
]

NoRecord = Annotated[
    bool, typer.Option("--no-record", help="Do not say in results how they were made.")
]

NoTimes = Annotated[
    bool, typer.Option("--no-times", help="Do not keep the modification times of sources.")
]

# Not a Path: that would lose the slash by which a folder is known.
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Folder for the results, or a file for one input [default: beside each input, "
        "as NAME.undark.SUFFIX].",
    ),
]

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what already exists, whoever made it.")
]

Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="auto, exact or fast: whether OpenVINO may compute in 16 bits.",
    ),
]

Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Video: effort, ultrafast to veryslow [default: superfast]; profile of prores.",
    ),
]

Preview = Annotated[
    str | None,
    typer.Option(
        "--preview", metavar="KIND", help="Video: before and after in one frame: side or split."
    ),
]

Qualities = Annotated[
    list[str] | None,
    typer.Option(
        "--quality",
        metavar="Q",
        help="Videos: fast, balanced or best [default: balanced]. Photos: 1 to 100, of lossy "
        "formats [default: chosen from the photo's own]. May be given twice, for both.",
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

Recursive = Annotated[bool, typer.Option("--recursive", help="Include the folders inside folders.")]

Runtime = Annotated[
    str,
    typer.Option(
        "--runtime", metavar="NAME", help="What runs the model: auto, onnxruntime or openvino."
    ),
]

Salvage = Annotated[
    bool,
    typer.Option("--salvage", help="Take what is there of truncated or damaged JPEG, PNG and BMP."),
]

SaveSteps = Annotated[
    Path | None,
    typer.Option(
        "--save-steps",
        metavar="FILE",
        help="Save the steps for `undark apply`: a .json for one photo, otherwise a folder.",
    ),
]

Sdr = Annotated[
    bool, typer.Option("--sdr", help="Video: bring HDR (PQ, HLG) within the range of SDR, BT.709.")
]

Strength = Annotated[float, control("strength")]

Strip = Annotated[
    str | None,
    typer.Option(
        "--strip",
        metavar="[all|gps]",
        help="Leave metadata out: all of it, or with gps where a photo was taken.",
    ),
]

Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, metavar="N", help="Processor threads for the model [default: all]."
    ),
]

VideoQuality = Annotated[
    str, typer.Option("--quality", metavar="NAME", help="fast or balanced; best is slower.")
]
