"""`undark enhance`: dark photos and videos in, bright ones out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from undark.adjust import CONTROLS
from undark.cli.asked import Asked, qualities
from undark.cli.clock import seconds
from undark.cli.editing import keep_steps, run_job
from undark.cli.feed import STDOUT, Piping, is_photo
from undark.cli.opening import Engine
from undark.cli.options import (
    Begin,
    Bits,
    Codec,
    Crf,
    Debug,
    Denoise,
    Device,
    Encoder,
    End,
    Explain,
    Exposure,
    Format,
    Fps,
    Gaps,
    InPlace,
    Inputs,
    Jobs,
    Json,
    KeepInterlaced,
    Like,
    Local,
    Model,
    NoRecord,
    NoTimes,
    Output,
    Overwrite,
    Precision,
    Preset,
    Preview,
    Qualities,
    Recursive,
    Runtime,
    Salvage,
    SaveSteps,
    Sdr,
    Strength,
    Strip,
    Threads,
)
from undark.cli.shell import command
from undark.cli.stream import STDIN, Stream
from undark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from undark.engine.enhancer import Enhancer
    from undark.engine.video import VideoEnhancer
    from undark.io.video.feed import Feed
    from undark.io.walk import Pair
    from undark.jobs import Done, Options, Skipped

__all__ = ["enhance"]

# What --like takes from a photo, where it is not given.
_LIKE = ("model", *CONTROLS)


@command
def enhance(
    context: typer.Context,
    inputs: Inputs,
    *,
    output: Output = None,
    model: Model = "default",
    like: Like = None,
    strength: Strength = 1.0,
    exposure: Exposure = 0.0,
    denoise: Denoise = None,
    local: Local = 1.0,
    recursive: Recursive = False,
    overwrite: Overwrite = False,
    in_place: InPlace = False,
    salvage: Salvage = False,
    explain: Explain = False,
    save_steps: SaveSteps = None,
    begin: Begin = None,
    end: End = None,
    preview: Preview = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    encoder: Encoder = None,
    bits: Bits = None,
    fps: Fps = 25.0,
    sdr: Sdr = False,
    gaps: Gaps = False,
    keep_interlaced: KeepInterlaced = False,
    as_json: Json = False,
    jobs: Jobs = 1,
    threads: Threads = None,
    format: Format = None,
    quality: Qualities = None,
    no_record: NoRecord = False,
    no_times: NoTimes = False,
    strip: Strip = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    debug: Debug = False,
) -> None:
    """Enhance dark photos and videos.

    Each result's path is written on stdout. Results that were made in this way already are
    skipped, others that undark made are made again.
    """
    from undark.io.formats import format_named
    from undark.jobs import Options

    written = None if format is None else format_named(format)
    of_photos, of_videos = qualities(quality)
    engine = Engine(runtime=runtime, device=device, threads=threads, precision=precision)
    asked = Asked(model, engine, strength, exposure, denoise, local, explain, save_steps)
    asked = replace(asked, video_quality=of_videos or asked.video_quality)
    if like is not None:
        asked = asked.like(like, {name for name in _LIKE if _is_given(context, name)})
    options = Options(
        format=written,
        quality=of_photos,
        overwrite=overwrite,
        salvage=salvage,
        record=not no_record,
        times=not no_times,
        strip=strip,
    )
    from undark.io.video.coding import Coding
    from undark.io.video.feed import Feed
    from undark.io.video.options import Transcoding
    from undark.io.walk import plan

    transcoding = Transcoding(
        coding=Coding(codec, crf, preset, encoder, bits),
        begin=seconds(begin, "--from") or 0.0,
        end=seconds(end, "--to"),
        preview=preview,  # pyright: ignore[reportArgumentType]
        fps=fps,
        sdr=sdr,
        gaps=gaps,
        keep_interlaced=keep_interlaced,
    )
    piped = _piped(inputs, output, in_place=in_place)
    if isinstance(piped, Feed) and piped.file is not None and is_photo(piped.file):
        Stream(output, options, as_json=as_json).run(asked)
        return
    if piped is not None:
        Piping(piped, output, options, as_json=as_json).run(asked, transcoding)
        return
    pairs = plan(inputs, output=output, recursive=recursive, format=written, in_place=in_place)
    options = replace(options, transcoding=transcoding)
    _run(pairs, asked, options, workers=jobs, as_json=as_json, debug=debug)


def _piped(inputs: Sequence[str], output: str | None, *, in_place: bool) -> Path | Feed | None:
    """The one input that comes from no file or goes to none."""
    from undark.io.video.feed import Feed, is_url
    from undark.io.walk import is_video

    found = [item for item in inputs if item == STDIN or is_url(item)]
    if not found and output != STDOUT:
        return None
    name = "- (stdin)" if STDIN in found else found[0] if found else "- (stdout)"
    if len(inputs) > 1:
        raise UsageError(f"{name} cannot be mixed with other inputs")
    if in_place:
        raise UsageError(f"{name} cannot be replaced in place; leave out --in-place")
    if not found:
        if not is_video(Path(inputs[0])):
            raise UsageError(f"{inputs[0]}: only videos go from a file to stdout; name a file")
        return Path(inputs[0])
    return Feed("stdin", sys.stdin.buffer) if found[0] == STDIN else Feed(found[0])


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether the user has written this option."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _run(
    pairs: Sequence[Pair],
    asked: Asked,
    options: Options,
    *,
    workers: int,
    as_json: bool,
    debug: bool,
) -> None:
    """Enhance files; a model is loaded where there is work for it."""
    from undark.io.walk import is_video
    from undark.jobs import Job

    files = asked.files([pair.destination for pair in pairs])
    videos = sum(is_video(pair.source) for pair in pairs)
    photos = len(pairs) > videos
    if photos:
        asked.check(only_photos=not videos)
        options = replace(options, adjust=asked.adjust(), explain=asked.in_steps)
    opened: list[Enhancer] = []

    def open_photos() -> Enhancer:
        opened.append(asked.open_photos())
        return opened[0]

    def open_videos() -> VideoEnhancer:
        return asked.open_videos(opened[0] if opened else None)

    def done(event: Done | Skipped) -> None:
        keep_steps(event.source, event.destination, event.steps, asked.explain, files)

    wanted = asked.wanted() if photos else None
    job = Job(
        pairs, open_photos, video=open_videos, wanted=wanted, options=options, workers=workers
    )
    run_job(job, pairs, as_json=as_json, debug=debug, done=done)
