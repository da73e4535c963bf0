"""A photo from stdin to stdout, or to a file."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from undark.cli.asked import Asked
from undark.cli.editing import keep_steps, record, skipped
from undark.cli.opening import open_enhancer
from undark.cli.shell import result, result_json, say
from undark.errors import UsageError

if TYPE_CHECKING:
    from undark.engine.photos import Source
    from undark.jobs import Options, Skipped
    from undark.pixels.steps import Step

__all__ = ["STDIN", "Stream"]

STDIN = "-"
"""The input that is stdin."""

_NAME = "stdin"


class Stream:
    """A photo from stdin to stdout, or to a file.

    Args:
        output: The file; None for stdout.
        options: How it is written.
        as_json: Report in JSON.
    """

    def __init__(self, output: str | None, options: Options, *, as_json: bool) -> None:
        """Keep what is asked."""
        self._output = None if output is None else Path(output)
        self._is_folder = (output or "").endswith((os.sep, os.altsep or os.sep))
        self._options = options
        self._as_json = as_json

    def run(self, asked: Asked) -> None:
        """Read, enhance and write the photo; wrong usage is refused first.

        Raises:
            UsageError: The photo and something else, or a console, would share stdout, or the
                output is a folder.
        """
        from undark.engine.photos import Source

        files = asked.files([Path(_NAME)])
        self._check()
        asked.check(only_photos=True)
        begin = perf_counter()
        source = Source(sys.stdin.buffer.read(), _NAME, salvage=self._options.salvage)
        options = replace(self._options, adjust=asked.adjust(), explain=asked.in_steps)
        there, again = self._standing(source, asked, options)
        if there is None:
            steps = self._enhance(source, asked, replace(options, overwrite=again))
        else:
            say(skipped(there.destination, there.reason))
            steps = None
            if options.explain:
                steps = open_enhancer(asked.model, asked.engine).steps(source.read())
        keep_steps(_NAME, Path(_NAME), steps, asked.explain, files)
        if self._output is None:
            return
        if self._as_json:
            status = "done" if there is None else "skipped"
            taken = perf_counter() - begin if there is None else 0.0
            result_json(record(STDIN, self._output, status, taken, steps=steps))
        elif there is None:
            result(str(self._output))

    def _check(self) -> None:
        if self._output is None:
            if self._as_json:
                raise UsageError("the photo goes to stdout, and so would --json; add -o FILE")
            if sys.stdout.isatty():
                raise UsageError("a console cannot show the photo; redirect it or add -o FILE")
        elif self._is_folder or self._output.is_dir():
            raise UsageError(f"{self._output}: a folder; a photo from stdin needs -o FILE")

    def _standing(
        self, source: Source, asked: Asked, options: Options
    ) -> tuple[Skipped | None, bool]:
        """What is at the output and stays there; else whether something there is replaced."""
        from undark.io.walk import Pair
        from undark.jobs import Failed, standing_at

        if self._output is None or options.overwrite:
            return None, True
        pair = Pair(Path(STDIN), self._output)
        there, notice = standing_at(pair, asked.wanted(), options, source.digest)
        if isinstance(there, Failed):
            raise there.error
        if notice:
            say(notice)
        return there, bool(notice)

    def _enhance(self, source: Source, asked: Asked, options: Options) -> tuple[Step, ...] | None:
        from undark.engine.photos import render
        from undark.io.photo import encode_photo, write_photo

        photo, steps = render(
            source,
            self._output or Path(_NAME),
            open_enhancer(asked.model, asked.engine),
            options.adjust,
            format=options.format,
            quality=options.quality,
            explain=options.explain,
            record=options.record,
            strip=options.strip,
            tell=lambda text: say(f"{_NAME}: {text}"),
        )
        if self._output is None:
            content = encode_photo(photo, format=options.format, quality=options.quality)
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return steps
        write_photo(
            photo,
            self._output,
            format=options.format,
            quality=options.quality,
            overwrite=options.overwrite,
        )
        return steps
