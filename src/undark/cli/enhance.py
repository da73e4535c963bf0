"""`undark enhance`: dark photos in, bright photos out."""

from __future__ import annotations

import sys
import traceback
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from undark.cli.opening import open_enhancer
from undark.cli.options import Debug, Device, Json, Model, Overwrite, Runtime, Threads
from undark.cli.progress import progress_bar
from undark.cli.shell import FAILED, command, result, result_json, say
from undark.errors import UsageError

if TYPE_CHECKING:
    from undark.engine.enhancer import Enhancer
    from undark.jobs import Event

__all__ = ["enhance"]

_STDIN = "-"


@command
def enhance(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Photos, folders, globs, or - for stdin."),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Folder for the results, or a file for one photo [default: beside each photo, "
            "as NAME.undark.SUFFIX].",
        ),
    ] = None,
    model: Model = "default",
    strength: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="0..1",
            help="From 0, the photo as it is, to 1, the full effect.",
        ),
    ] = 1.0,
    exposure: Annotated[
        float,
        typer.Option(min=-4.0, max=4.0, metavar="EV", help="More (+) or less (-) light, in EV."),
    ] = 0.0,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Take the folders inside folders too.")
    ] = False,
    overwrite: Overwrite = False,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Replace the photos themselves; done again, it enhances again."
        ),
    ] = False,
    as_json: Json = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="N", help="Photos worked on at a time.")
    ] = 1,
    threads: Threads = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FMT",
            help="Write jpeg, png, tiff, webp, avif, heif or bmp [default: as the photo].",
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            min=1,
            max=100,
            metavar="Q",
            help="Quality of lossy formats, 1 to 100 [default: chosen from the photo's own].",
        ),
    ] = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    debug: Debug = False,
) -> None:
    """Enhance dark photos.

    Each result's path is written on stdout. What is already there is skipped.
    """
    from undark.io.formats import format_named

    written = None if format is None else format_named(format)
    if _STDIN in inputs:
        if len(inputs) > 1:
            raise UsageError("- (stdin) cannot be mixed with other inputs")
        if in_place:
            raise UsageError("- (stdin) has no place to be replaced in; leave out --in-place")
        stream = _Stream(output, written, quality, overwrite, as_json)
        stream.check()
        enhancer = open_enhancer(model, runtime=runtime, device=device, threads=threads)
        stream.run(enhancer, strength, exposure)
        return

    from undark.io.walk import plan
    from undark.jobs import Job, Progress

    pairs = plan(inputs, output=output, recursive=recursive, format=written, in_place=in_place)
    enhancer = open_enhancer(model, runtime=runtime, device=device, threads=threads)
    job = Job(
        pairs,
        enhancer,
        strength=strength,
        exposure=exposure,
        format=written,
        quality=quality,
        overwrite=overwrite or in_place,
        workers=jobs,
    )
    fractions: dict[Path, float] = {}
    # Closed at once on Ctrl-C, so that the workers have ended before the command does.
    with progress_bar() as show, closing(job.run()) as events:
        for event in events:
            fractions[event.source] = event.fraction if isinstance(event, Progress) else 0.0
            done = job.summary.total + sum(fractions.values())
            show(done, len(pairs), event.source.name)
            _tell(event, as_json, debug)
    summary = job.summary
    if len(pairs) > 1:
        say(f"{summary.done} done, {summary.skipped} skipped, {summary.failed} failed")
    if summary.failed:
        raise typer.Exit(FAILED)


def _tell(event: Event, as_json: bool, debug: bool) -> None:
    """An input's last word: a result on stdout, and talk on stderr."""
    from undark.jobs import Done, Failed, Skipped

    match event:
        case Done(source, destination, seconds):
            if as_json:
                result_json(_record(source, destination, "done", seconds))
            else:
                result(str(destination))
        case Skipped(source, destination):
            say(f"{destination}: skipped, it is already there (--overwrite does it again)")
            if as_json:
                result_json(_record(source, destination, "skipped", 0.0))
        case Failed(source, destination, seconds, error):
            if debug:
                traceback.print_exception(error)
            message = str(error)
            say(message if str(source) in message else f"{source}: {message}")
            if as_json:
                result_json(_record(source, destination, "failed", seconds, error))
        case _:
            pass


def _record(
    source: Path | str,
    destination: Path,
    status: str,
    seconds: float,
    error: Exception | None = None,
) -> dict[str, object]:
    return {
        "source": str(source),
        "destination": str(destination),
        "status": status,
        "seconds": round(seconds, 3),
        "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
    }


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

    def run(self, enhancer: Enhancer, strength: float, exposure: float) -> None:
        """Read, enhance and write the photo."""
        from undark.io.images import encode_photo, read_photo, write_photo

        output = self._output
        if output is not None and output.exists() and not self._overwrite:
            say(f"{output}: skipped, it is already there (--overwrite does it again)")
            if self._as_json:
                result_json(_record(_STDIN, output, "skipped", 0.0))
            return
        begin = perf_counter()
        photo = read_photo(sys.stdin.buffer.read(), name="stdin")
        photo = enhancer.enhance(photo, strength=strength, exposure=exposure)
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
            result_json(_record(_STDIN, output, "done", perf_counter() - begin))
        else:
            result(str(output))
