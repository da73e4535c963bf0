"""`undark enhance`: dark photos and videos in, bright ones out."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from undark.cli.clock import seconds
from undark.cli.editing import StepsFiles, record, run_job, tell_steps
from undark.cli.opening import Engine, open_enhancer, open_video
from undark.cli.options import (
    Debug,
    Denoise,
    Device,
    Exposure,
    Format,
    Inputs,
    Jobs,
    Json,
    Model,
    Output,
    Overwrite,
    Precision,
    Quality,
    Recursive,
    Runtime,
    Strength,
    Threads,
)
from undark.cli.shell import command, result, result_json, say
from undark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from undark.engine.enhancer import Enhancer
    from undark.photo import Photo
    from undark.pixels.steps import Step

__all__ = ["enhance"]

_STDIN = "-"


@command
def enhance(
    inputs: Inputs,
    *,
    output: Output = None,
    model: Model = "default",
    strength: Strength = 1.0,
    exposure: Exposure = 0.0,
    denoise: Denoise = None,
    recursive: Recursive = False,
    overwrite: Overwrite = False,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Replace the photos themselves; done again, it enhances again."
        ),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Tell the steps of a model that retouches in steps."),
    ] = False,
    save_steps: Annotated[
        Path | None,
        typer.Option(
            "--save-steps",
            metavar="FILE",
            help="Keep them for `undark apply`: a .json for one photo, else a folder.",
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Video: begin there; seconds, or 1:30, or 1:02:03.5."
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Video: end there.")
    ] = None,
    preview: Annotated[
        str | None,
        typer.Option(
            "--preview", metavar="KIND", help="Video: before and after in one: side or split."
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            "--codec",
            metavar="NAME",
            help="Video: h264, hevc, vp9 or av1 [default: h264, vp9 for .webm].",
        ),
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(
            "--crf", metavar="N", help="Video: quality; less is better [default: 20 for h264]."
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Video: effort, from ultrafast to veryslow [default: superfast].",
        ),
    ] = None,
    fps: Annotated[
        float, typer.Option("--fps", metavar="N", help="Pictures a second of numbered ones.")
    ] = 25.0,
    as_json: Json = False,
    jobs: Jobs = 1,
    threads: Threads = None,
    format: Format = None,
    quality: Quality = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    debug: Debug = False,
) -> None:
    """Enhance dark photos and videos.

    Each result's path is written on stdout. What is already there is skipped.
    """
    from undark.io.formats import format_named

    written = None if format is None else format_named(format)
    engine = Engine(runtime=runtime, device=device, threads=threads, precision=precision)
    if _STDIN in inputs:
        if len(inputs) > 1:
            raise UsageError("- (stdin) cannot be mixed with other inputs")
        if in_place:
            raise UsageError("- (stdin) has no place to be replaced in; leave out --in-place")
        files = None if save_steps is None else StepsFiles(save_steps, [Path("stdin")])
        stream = _Stream(output, written, quality, overwrite, as_json)
        stream.check()
        enhancer = _open(model, engine, in_steps=explain or files is not None, denoise=denoise)
        edit = partial(
            enhancer.enhance, strength=strength, exposure=exposure, denoise=_all(denoise)
        )
        stream.run(enhancer, edit, explain, files)
        return

    from undark.adjust import Adjust
    from undark.io.video.coding import Coding
    from undark.io.video.options import Transcoding
    from undark.io.walk import is_video, plan
    from undark.jobs import Done, Job, Options

    transcoding = Transcoding(
        coding=Coding(codec, crf, preset),
        begin=seconds(begin, "--from") or 0.0,
        end=seconds(end, "--to"),
        preview=preview,  # pyright: ignore[reportArgumentType]
        fps=fps,
    )
    pairs = plan(inputs, output=output, recursive=recursive, format=written, in_place=in_place)
    files = None
    if save_steps is not None:
        files = StepsFiles(save_steps, [pair.destination for pair in pairs])
    films = sum(is_video(pair.source) for pair in pairs)
    enhancer = video = None
    if films < len(pairs):
        # Where there are videos too, how they are denoised is no matter of the photos' model.
        enhancer = _open(
            model,
            engine,
            in_steps=explain or files is not None,
            denoise=None if films else denoise,
        )
    if films:
        video = open_video(
            model,
            engine,
            shared=enhancer,
            strength=strength,
            exposure=exposure,
            denoise=denoise or 0.0,
        )
    heeds = enhancer is not None and "denoise" in enhancer.controls
    options = Options(
        adjust=Adjust(
            strength=strength, exposure=exposure, denoise=_all(denoise if heeds else None)
        ),
        format=written,
        quality=quality,
        overwrite=overwrite or in_place,
        explain=explain or files is not None,
        transcoding=transcoding,
    )
    job = Job(pairs, enhancer, video=video, options=options, workers=jobs)

    def done(event: Done) -> None:
        _keep(event.source, event.destination, event.steps, explain, files)

    run_job(job, pairs, as_json=as_json, debug=debug, done=done)


def _all(denoise: float | None) -> float:
    return 1.0 if denoise is None else denoise


def _open(
    model: str,
    engine: Engine,
    *,
    in_steps: bool,
    denoise: float | None,
) -> Enhancer:
    enhancer = open_enhancer(model, engine)
    if in_steps and not enhancer.works_in_steps:
        raise UsageError(
            f"the model {enhancer.card.name} does not work in steps;"
            " leave out --explain and --save-steps"
        )
    if denoise is not None and "denoise" not in enhancer.controls:
        raise UsageError(
            f"the model {enhancer.card.name} cannot be told how much to denoise;"
            " leave out --denoise"
        )
    return enhancer


def _keep(
    source: Path | str,
    destination: Path,
    steps: Sequence[Step] | None,
    explain: bool,
    files: StepsFiles | None,
) -> None:
    if explain and steps is not None:
        tell_steps(source, steps)
    if files is not None and steps is not None:
        files.write(destination, steps)


class _Stream:
    """A photo from stdin to stdout, or to a file."""

    def __init__(
        self,
        output: Path | None,
        format: str | None,
        quality: int | None,
        overwrite: bool,
        as_json: bool,
    ) -> None:
        self._output = output
        self._format = format
        self._quality = quality
        self._overwrite = overwrite
        self._as_json = as_json

    def check(self) -> None:
        """Refuse what makes no sense before anything is read.

        Raises:
            UsageError: The photo and something else, or a terminal, would share stdout, or the
                output is a folder.
        """
        if self._output is None:
            if self._as_json:
                raise UsageError("the photo goes to stdout, and so would --json; add -o FILE")
            if sys.stdout.isatty():
                raise UsageError("a terminal cannot show the photo; redirect it or add -o FILE")
        elif self._output.is_dir():
            raise UsageError(f"{self._output}: a folder; a photo from stdin needs -o FILE")

    def run(
        self,
        enhancer: Enhancer,
        edit: Callable[[Photo], Photo],
        explain: bool,
        files: StepsFiles | None,
    ) -> None:
        """Read, enhance and write the photo."""
        from undark.io.photo import encode_photo, read_photo, write_photo

        output = self._output
        if output is not None and output.exists() and not self._overwrite:
            say(f"{output}: skipped, it is already there (--overwrite does it again)")
            if self._as_json:
                result_json(record(_STDIN, output, "skipped", 0.0))
            return
        begin = perf_counter()
        photo = read_photo(sys.stdin.buffer.read(), name="stdin")
        steps = enhancer.steps(photo) if explain or files is not None else None
        _keep("stdin", Path("stdin"), steps, explain, files)
        photo = edit(photo)
        if output is None:
            content = encode_photo(photo, format=self._format, quality=self._quality)
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        write_photo(
            photo,
            output,
            format=self._format,
            quality=self._quality,
            overwrite=self._overwrite,
        )
        if self._as_json:
            seconds = perf_counter() - begin
            result_json(record(_STDIN, output, "done", seconds, steps=steps))
        else:
            result(str(output))
