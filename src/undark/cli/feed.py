"""A video from a URL or stdin, or to stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, BinaryIO, Final

import typer

from undark.cli.asked import Asked
from undark.cli.editing import record
from undark.cli.progress import progress_bar
from undark.cli.shell import INTERRUPTED, result, result_json, say
from undark.errors import DamagedError, OutputError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from undark.io.video.feed import Feed
    from undark.io.video.options import Progress, Transcoding
    from undark.jobs import Options

__all__ = ["STDOUT", "Piping", "is_photo"]

STDOUT: Final = "-"
"""The output that is stdout."""

_PIPED: Final = Path("stdout.mkv")


def is_photo(pipe: BinaryIO) -> bool:
    """Whether a photo comes through `pipe`, of which nothing is taken; where unsure, it does."""
    from io import BytesIO

    from undark.io.formats.sniff import sniff
    from undark.io.video.feed import head_of

    head = head_of(pipe)
    try:
        sniff(BytesIO(head), "")
    except (DamagedError, UnsupportedError):
        return not head
    return True


class Piping:
    """One video that comes from no file, or goes to none.

    Args:
        source: A file, or what is read as it comes.
        output: A file or folder, ``-`` for stdout, or None for what suits the source.
        options: How it is written.
        as_json: Report in JSON.

    Raises:
        UsageError: The video and something else, or a console, would share stdout.
    """

    def __init__(
        self, source: Path | Feed, output: str | None, options: Options, *, as_json: bool
    ) -> None:
        """Decide where the video goes."""
        from undark.io.walk import OUTPUT_MARK

        self._source = source
        self._options = options
        self._as_json = as_json
        name = str(source)
        if output is None and "://" not in name:
            output = STDOUT
        self._pipe: BinaryIO | None = None
        if output == STDOUT:
            if as_json:
                raise UsageError("the video goes to stdout, and so would --json; add -o FILE")
            if sys.stdout.isatty():
                raise UsageError("a console cannot show the video; redirect it or add -o FILE")
            self._pipe, self._target = sys.stdout.buffer, _PIPED
            return
        place = Path(name.partition("?")[0])
        stem, suffix = place.stem or "stream", _written(place.suffix)
        if output is None:
            self._target = Path(f"{stem}{OUTPUT_MARK}{suffix}")
        elif output.endswith((os.sep, os.altsep or os.sep)) or Path(output).is_dir():
            self._target = Path(output) / f"{stem}{suffix}"
        else:
            self._target = Path(output)

    def run(self, asked: Asked, transcoding: Transcoding) -> None:
        """Read, enhance and write the video.

        Raises:
            UndarkError: It cannot be.
        """
        from undark.engine.clips import enhance_clip

        if self._pipe is None and self._target.exists() and not self._options.overwrite:
            raise OutputError(
                f"{self._target}: exists; choose another output, or have it replaced",
                argument="overwrite",
            )
        begin = perf_counter()
        video = asked.open_videos()
        with progress_bar(timed=False) as show, self._stoppable():

            def progress(done: Progress) -> None:
                fps = done.frames / max(perf_counter() - begin, 1e-6)
                show(done.fraction, 1, f"{self._source} {done.frames} frames, {fps:.1f} fps")

            enhance_clip(
                self._source,
                self._target,
                video,
                replace(transcoding, strip=self._options.strip or transcoding.strip),
                pipe=self._pipe,
                progress=progress,
                tell=lambda text: say(f"{self._source}: {text}"),
            )
        if self._pipe is not None:
            self._pipe.flush()
        elif self._as_json:
            seconds = perf_counter() - begin
            result_json(record(str(self._source), self._target, "done", seconds, steps=None))
        else:
            result(str(self._target))

    @contextmanager
    def _stoppable(self) -> Generator[None]:
        """Say what a stop leaves; what comes only once is not gone on with."""
        from undark.io.video.containers import partial_path

        part = partial_path(self._target)
        try:
            yield
        except KeyboardInterrupt:
            if self._pipe is None and part.exists():
                say(f"{part}: the part that was finished")
            say("stopped")
            raise typer.Exit(INTERRUPTED) from None


def _written(suffix: str) -> str:
    """The suffix of a video made from one with that."""
    from undark.io.video.containers import VIDEO_SUFFIXES

    return suffix if suffix.lower() in VIDEO_SUFFIXES else ".mkv"
